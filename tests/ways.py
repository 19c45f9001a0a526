"""Former names of `tests.transfer_modes` and `tests.event_loops`."""

from __future__ import annotations

import pytest

from tests.event_loops import LoopFactory, loop_factories
from tests.transfer_modes import TRANSFER_MODES as WAYS
from tests.transfer_modes import use_transfer_mode

__all__ = ["WAYS", "LoopFactory", "force", "loop_factories"]


def force(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `use_transfer_mode`."""
    use_transfer_mode({"plain": "aiohttp", "intake": "body_reader"}.get(way, way), monkeypatch)
