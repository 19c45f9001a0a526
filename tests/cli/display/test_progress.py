"""Progress bars and indicators on stderr."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, ProgressEvent, ProgressKind
from packagex_async.cli.display.progress import ArtifactBars, ByteBar, WaitIndicator
from packagex_async.testing import Emulator
from tests.cli.support import Cli, ManualClock, Terminal, add_small_export


def event(kind: ProgressKind = ProgressKind.STARTED, **fields: Any) -> ProgressEvent:
    """Return an event of a file of 10 bytes."""
    return ProgressEvent(kind=kind, export_id="exp_1", artifact=Artifact.CSV, total=10, **fields)


def test_bars_follow_the_progress_and_disappear(monkeypatch: pytest.MonkeyPatch) -> None:
    """They show delays and the number of the attempt."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    events = [
        event(ProgressKind.STARTED),
        event(ProgressKind.RETRYING, delay=2.5),
        event(ProgressKind.ADVANCED, received=5, attempt=2),
        event(ProgressKind.FINISHED, received=10, attempt=2),
    ]
    screens = []
    with ArtifactBars(quiet=False) as bars:
        for each in events:
            bars(each)
            bars.refresh()
            screens.append(terminal.getvalue())
    assert "exp_1 csv" in screens[0]
    assert "retry in 2 s" in screens[1]
    assert "attempt 2" in screens[2]
    assert "10 B/10 B" in screens[3]
    assert terminal.is_cleared()


def test_bars_are_shown_on_terminals_only(
    server: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--quiet` disables them."""
    arguments = ("download", add_small_export(server).id, "--directory", tmp_path)
    assert cli(*arguments).err == ""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli(*arguments, "--quiet").code == cli(*arguments, "-q").code == 0
    assert terminal.getvalue() == ""
    assert cli(*arguments).code == 0
    assert terminal.getvalue() != ""


def test_byte_bar_shows_the_progress() -> None:
    """It shows the speed and the remaining time when they are known."""
    clock = ManualClock()
    bar = ByteBar("verifying", quiet=False, clock=clock)
    for done in range(0, 8192, 1024):
        bar(done, 10 * 1024)
        clock.now += 1
    (row,) = bar.rows()
    assert (row.label, row.amount, row.fraction) == ("verifying", "7.0 KiB/10.0 KiB", 0.7)
    assert row.details == ("0:03 left", "896 B/s")


def test_wait_indicator_shows_the_elapsed_time() -> None:
    """It is the time since the start."""
    clock = ManualClock()
    indicator = WaitIndicator("export exp_1", quiet=True, clock=clock)
    clock.now += 75
    indicator.update("export exp_1 is queued")
    assert [row.label for row in indicator.rows()] == ["export exp_1 is queued, 1:15"]


@pytest.mark.parametrize(("quiet", "expected"), [(False, "packagex-exports: now\n"), (True, "")])
def test_wait_indicator_without_a_terminal(
    quiet: bool, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each update is a line on stderr, unless it is quiet."""
    with WaitIndicator("export exp_1", quiet=quiet) as indicator:
        indicator.update("now")
    assert capsys.readouterr().err == expected
