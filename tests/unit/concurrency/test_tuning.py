"""TransferTuning: consistent defaults, and tests that inject others."""

from __future__ import annotations

import pytest

from packagex_async import AsyncPackageX
from packagex_async._concurrency.tuning import TransferTuning, shared_tuning
from tests.transfer_modes import tune


def test_defaults_are_consistent() -> None:
    """An artifact for several connections can be divided."""
    tuning = TransferTuning()
    assert tuning.parallel_min_size >= 2 * tuning.min_segment_size
    assert tuning.segment_buffer_size >= tuning.direct_write_min_size
    assert tuning.probe_time < tuning.shared_probe_time < tuning.settling_time
    assert tuning.min_gain > 1


async def test_new_clients_use_the_injected_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that exist already keep their own."""
    before = AsyncPackageX("px_key")
    tune(monkeypatch, parallel_min_size=7)
    after = AsyncPackageX("px_key")
    assert before.exports._context.tuning == TransferTuning()
    assert after.exports._context.tuning == TransferTuning(parallel_min_size=7)
    await before.aclose()
    await after.aclose()


def test_shared_buffers_are_never_larger() -> None:
    """The smaller size applies."""
    assert shared_tuning(TransferTuning(), 1).buffer_size == TransferTuning().shared_buffer_size
    assert shared_tuning(TransferTuning(buffer_size=5), 1).buffer_size == 5
    assert shared_tuning(TransferTuning(), 0) == TransferTuning()


def test_few_bodies_are_in_pipes_at_a_time() -> None:
    """Each of them needs seven descriptors, and a part of the pages that a user may have in pipes."""
    tuning = TransferTuning(max_piped_bodies=2, pipe_size=5)
    assert [shared_tuning(tuning, others).pipe_size for others in range(4)] == [5, 5, 0, 0]
