"""Under any sequence of faults, the target is absent, unchanged or complete, and the report is true."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packagex_async.testing import (
    Cut,
    Emulator,
    Encoded,
    Expired,
    Fault,
    IgnoreRange,
    LyingLength,
    NoHash,
    NoTag,
    RecordedRequest,
    Redirect,
    Refuse,
    Replace,
    Reset,
    Stall,
    Status,
    Transcoded,
    Undeclared,
    WrongHash,
    WrongRange,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.server.reply import Reply
from tests.faults.scenario import DownloadScenario
from tests.support import NO_BACKOFF, examples
from tests.transfer_modes import TRANSFER_MODES, use_transfer_mode

SIZE = 20_000
VERSIONS = [random.Random(version).randbytes(SIZE) for version in range(3)]
"""The object and its replacements, all of one length, so that only the validators distinguish them."""


class IgnoreIfRange(Fault):
    """Respond with the requested range, regardless of `If-Range`."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return request.without_headers("If-Range")


@attrs.frozen
class CombinedFaults(Fault):
    """Apply several faults to one request for the object."""

    faults: tuple[Fault, ...]

    def matches(self, request: RecordedRequest) -> bool:
        return request.host == "storage"

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        for fault in self.faults:
            request = fault.rewrite_request(request, store)
        return request

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        for fault in self.faults:
            reply = fault.rewrite_response(reply, request)
        return reply


offsets = st.integers(0, SIZE)
statuses = st.sampled_from([204, 206, 304, 403, 404, 408, 410, 416, 429, 503])
alterations = st.sampled_from(
    [NoHash(), NoTag(), IgnoreRange(), IgnoreIfRange(), Undeclared(), Encoded(), Transcoded()]
)
replacements = st.builds(Replace, st.sampled_from(VERSIONS))
interruptions = st.one_of(st.builds(Cut, offsets), st.builds(Reset, offsets), st.just(Refuse()))
single_faults = st.one_of(
    st.builds(Status, statuses, on=st.just("storage")),
    # A declared length that is too short is detectable because the object has a hash.
    st.builds(LyingLength, st.integers(-SIZE, SIZE)),
    st.sampled_from([Expired(), Redirect(), Stall(SIZE // 2), WrongHash()]),
)
verifiable_faults = st.one_of(
    st.tuples(interruptions),
    st.tuples(alterations, interruptions),
    st.tuples(replacements, alterations, interruptions),
    st.tuples(replacements, st.builds(WrongRange, st.integers(-SIZE, SIZE)), interruptions),
    st.tuples(replacements, st.just(IgnoreIfRange())),
    st.tuples(single_faults),
)


unverifiable_faults = st.one_of(
    st.tuples(interruptions, st.just(NoHash())),
    st.tuples(replacements, st.just(IgnoreIfRange()), interruptions, st.just(NoHash())),
    st.tuples(st.builds(WrongRange, st.integers(-SIZE, SIZE)), interruptions, st.just(NoHash())),
)


@pytest.mark.parametrize("transfer_mode", [mode for mode in TRANSFER_MODES if mode != "pipe_reader"])
@given(
    # With a hash of the complete object, and with validators only.
    st.one_of(
        st.lists(st.builds(CombinedFaults, verifiable_faults), max_size=8),
        st.lists(st.builds(CombinedFaults, unverifiable_faults), max_size=8),
    ),
    st.sampled_from([None, b"old", VERSIONS[0]]),
    st.booleans(),
)
@settings(max_examples=examples(60))
def test_the_invariant_holds_for_any_sequence_of_faults(
    transfer_mode: str, script: list[Fault], old: bytes | None, overwrite: bool
) -> None:
    """Up to eight interruptions, refusals, replacements and false declarations in a row."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_transfer_mode(transfer_mode, monkeypatch)
        asyncio.run(download(script, old, overwrite))


@given(
    st.lists(st.builds(CombinedFaults, unverifiable_faults), max_size=8),
    st.sampled_from([None, b"old", VERSIONS[0]]),
    st.booleans(),
)
@settings(max_examples=examples(60))
def test_the_invariant_holds_for_any_sequence_of_faults_without_hashes(
    script: list[Fault], old: bytes | None, overwrite: bool
) -> None:
    """Only bytes without a declared hash are in pipes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_transfer_mode("pipe_reader", monkeypatch)
        asyncio.run(download(script, old, overwrite))


async def download(script: list[Fault], old: bytes | None, overwrite: bool) -> None:
    """Download an artifact under all faults of `script`, and check the invariant."""
    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(populate=False) as server:
            for fault in script:
                server.inject(fault)
            scenario = DownloadScenario(
                server=server,
                folder=Path(folder),
                export_id=server.add_export(content={"csv": VERSIONS[0]}).id,
                versions={"csv": VERSIONS},
                options={"retry": NO_BACKOFF, "stall_timeout": 0.1},
            )
            if old is not None:
                scenario.path().write_bytes(old)
            await scenario.run(overwrite=overwrite)
