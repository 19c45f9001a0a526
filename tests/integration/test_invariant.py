"""Whatever befalls a download, in any order: its target is absent, old, or whole, and the report true."""

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
from tests.support import AT_ONCE, examples
from tests.transfer_modes import TRANSFER_MODES, use_transfer_mode

SIZE = 20_000
VERSIONS = [random.Random(version).randbytes(SIZE) for version in range(3)]
"""The object, and what it may be replaced by: all of one length, so that only their names tell them apart."""


class DeafToConditions(Fault):
    """A range is honoured whatever its `If-Range` says."""

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return request.without("If-Range")


@attrs.frozen
class Together(Fault):
    """Several faults that strike one request for the object."""

    faults: tuple[Fault, ...]

    def strikes(self, request: RecordedRequest) -> bool:
        return request.host == "storage"

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        for fault in self.faults:
            request = fault.hear(request, store)
        return request

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        for fault in self.faults:
            reply = fault.answer(reply, request)
        return reply


places = st.integers(0, SIZE)
statuses = st.sampled_from([204, 206, 304, 403, 404, 408, 410, 416, 429, 503])
guises = st.sampled_from(
    [NoHash(), NoTag(), IgnoreRange(), DeafToConditions(), Undeclared(), Encoded(), Transcoded()]
)
replacements = st.builds(Replace, st.sampled_from(VERSIONS))
ends = st.one_of(st.builds(Cut, places), st.builds(Reset, places), st.just(Refuse()))
alone = st.one_of(
    st.builds(Status, statuses, on=st.just("storage")),
    # Without a hash, nobody could tell a length that is too short from the truth.
    st.builds(LyingLength, st.integers(-SIZE, SIZE)),
    st.sampled_from([Expired(), Redirect(), Stall(SIZE // 2), WrongHash()]),
)
misfortunes = st.one_of(
    st.tuples(ends),
    st.tuples(guises, ends),
    st.tuples(replacements, guises, ends),
    st.tuples(replacements, st.builds(WrongRange, st.integers(-SIZE, SIZE)), ends),
    st.tuples(replacements, st.just(DeafToConditions())),
    st.tuples(alone),
)


unvouched = st.one_of(
    st.tuples(ends, st.just(NoHash())),
    st.tuples(replacements, st.just(DeafToConditions()), ends, st.just(NoHash())),
    st.tuples(st.builds(WrongRange, st.integers(-SIZE, SIZE)), ends, st.just(NoHash())),
)


@pytest.mark.parametrize("transfer_mode", TRANSFER_MODES)
@given(
    # Where a hash vouches for the whole, and where the names of the content are all there is.
    st.one_of(
        st.lists(st.builds(Together, misfortunes), max_size=8),
        st.lists(st.builds(Together, unvouched), max_size=8),
    ),
    st.sampled_from([None, b"old", VERSIONS[0]]),
    st.booleans(),
)
@settings(max_examples=examples(200))
def test_the_invariant_holds_for_any_sequence_of_faults(
    transfer_mode: str, script: list[Fault], old: bytes | None, overwrite: bool
) -> None:
    """Cuts, resets, refusals, replacements; lies about lengths, ranges and hashes; up to eight in a row."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_transfer_mode(transfer_mode, monkeypatch)
        asyncio.run(download(script, old, overwrite))


async def download(script: list[Fault], old: bytes | None, overwrite: bool) -> None:
    """Download an artifact while all of `script` strikes it; the trial holds what is left to the rule."""
    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(populate=False) as server:
            for fault in script:
                server.inject(fault)
            scenario = DownloadScenario(
                server=server,
                folder=Path(folder),
                export_id=server.add_export(content={"csv": VERSIONS[0]}).id,
                versions={"csv": VERSIONS},
                options={"retry": AT_ONCE, "stall_timeout": 0.1},
            )
            if old is not None:
                scenario.path().write_bytes(old)
            await scenario.run(overwrite=overwrite)
