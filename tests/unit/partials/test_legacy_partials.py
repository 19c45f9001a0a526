"""Partial files of earlier versions are not taken from a running process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from packagex_async._partials.partial_names import sidecar
from tests.support import names
from tests.unit.partials.helpers import LONG_AGO, make_claim, make_partial, resume, resumed_path


@pytest.mark.parametrize("owner", ["this process", "another machine", "another user"])
def test_a_claim_is_respected_while_its_process_may_be_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    """At most for a day."""
    partial = make_partial(tmp_path)
    make_claim(partial, **({"machine": "another"} if owner == "another machine" else {}))
    if owner == "another user":

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "not permitted")

        monkeypatch.setattr(os, "kill", refuse)
    assert resume(tmp_path / "a.csv") is None
    assert partial.exists()
    os.utime(sidecar(partial, "claim"), (LONG_AGO, LONG_AGO))
    assert resumed_path(tmp_path / "a.csv") == partial


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "null", '{"pid": "x"}', '{"pid": 1}', "[" * 4000, "x" * 5000, "\ud800",
        '{"machine": 1, "pid": 1}', '{"machine": "m", "pid": true}', '{"machine": "m", "pid": -1}',
        '{"machine": "m", "pid": 0}', '{"machine": "m", "pid": 1000000000000000000000000000000}',
    ],
)  # fmt: skip
def test_trap_03_an_invalid_claim_is_ignored(tmp_path: Path, text: str) -> None:
    """It blocks no later run."""
    partial = make_partial(tmp_path)
    sidecar(partial, "claim").write_bytes(text.encode(errors="surrogatepass"))
    assert resumed_path(tmp_path / "a.csv") == partial


def test_a_partial_file_without_metadata_is_removed_after_a_day(tmp_path: Path) -> None:
    """Only its name shows that an earlier version created it."""
    partial = make_partial(tmp_path, "0123abcd-17-4711-1", has_metadata=False)
    assert resume(tmp_path / "a.csv") is None
    assert partial.exists()
    os.utime(partial, (LONG_AGO, LONG_AGO))
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == []
