"""The reporters of `sync`."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind, StorageError
from packagex_async.cli.display.dashboard import Dashboard
from packagex_async.cli.display.reporters import JsonReporter, LineReporter, NullReporter, choose_reporter
from packagex_async.cli.display.totals import Totals
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator
from tests.cli.support import Cli, ManualClock, Terminal, add_small_export, summary_counts


@pytest.mark.parametrize(
    ("json", "quiet", "is_terminal", "expected"),
    [
        (True, False, True, JsonReporter),
        (True, True, False, JsonReporter),
        (False, True, True, NullReporter),
        (False, False, True, Dashboard),
        (False, False, False, LineReporter),
    ],
)
def test_choice_of_the_reporter(
    json: bool, quiet: bool, is_terminal: bool, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the options and on whether stderr is a terminal."""
    if is_terminal:
        monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(choose_reporter(Totals(), json=json, quiet=quiet)) is expected


def test_terminal_that_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines replace the live display."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert type(choose_reporter(Totals(), json=False, quiet=False)) is LineReporter


def event(kind: ProgressKind, received: int = 0, **fields: Any) -> ProgressEvent:
    """Return an event of a file of 10000 bytes."""
    fields = {"export_id": "exp_1", "artifact": Artifact.CSV} | fields
    return ProgressEvent(kind=kind, received=received, total=10_000, **fields)


def test_json_has_at_most_ten_events_per_second_and_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `started`, `retrying`, `kept`, `finished` and `failed` event is printed."""
    clock = ManualClock()
    reporter = JsonReporter(clock)

    def printed() -> list[tuple[str, str, int]]:
        records = map(jsonlib.loads, capsys.readouterr().out.splitlines())
        return [(record["event"], record["artifact"], record["received"]) for record in records]

    reporter.on_progress(event(ProgressKind.STARTED))
    for received in range(100, 10_000, 100):
        clock.now += 0.01
        reporter.on_progress(event(ProgressKind.ADVANCED, received))
    reporter.on_progress(event(ProgressKind.ADVANCED, 7, artifact=Artifact.JSON))
    reporter.on_progress(event(ProgressKind.FINISHED, 10_000))
    events = printed()
    assert events[0] == ("started", "csv", 0)
    assert events[-2:] == [("advanced", "json", 7), ("finished", "csv", 10_000)]
    assert len([artifact for _, artifact, _ in events if artifact == "csv"]) == 10
    for kind in (ProgressKind.RETRYING, ProgressKind.FAILED, ProgressKind.KEPT):
        reporter.on_progress(event(kind, 10_000))
        assert printed() == [(kind, "csv", 10_000)]
    # A new download of the same artifact starts without an interval.
    reporter.on_progress(event(ProgressKind.ADVANCED, 100))
    assert printed() == [("advanced", "csv", 100)]


def test_lines_report_long_delays_of_artifacts(capsys: pytest.CaptureFixture[str]) -> None:
    """Short ones are not worth a line."""
    reporter = LineReporter(ManualClock())
    error = StorageError("answered 503", export_id="exp_1", artifact=Artifact.CSV)
    for delay in (0.3, 30.0):
        reporter.on_progress(event(ProgressKind.RETRYING, delay=delay, error=error))
    assert capsys.readouterr().err == (
        "packagex-exports: export exp_1, artifact csv: answered 503; next attempt in 30 s\n"
    )


@pytest.mark.parametrize("json", [False, True])
def test_failures_of_repeated_downloads(json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Stderr has each of them once, and no delays of further attempts. JSON has all of them."""
    reporter = choose_reporter(Totals(), json=json, quiet=False, follow=True)
    error = StorageError("failed", export_id="exp_1", artifact=Artifact.CSV)
    for _ in range(3):
        reporter.on_progress(event(ProgressKind.RETRYING, delay=8.0, error=error))
        reporter.on_report(DownloadReport(export_id="exp_1", failures=ByArtifact([error])))
    out, err = capsys.readouterr()
    assert err.count("export exp_1") == (1 if json else 2)
    assert err.count("next attempt in 8 s") == (0 if json else 1)
    assert out.count('"report"') == out.count('"retrying"') == (3 if json else 0)


@pytest.mark.parametrize(("options", "size"), [((), "1.5 KiB"), (("--bytes",), "1536 B")])
def test_lines_report_files(
    options: tuple[str, ...], size: str, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """With `--bytes`, sizes are exact."""
    export = empty.add_export(content={"csv": b"a\n" + b"1\n" * 767})
    assert cli("sync", tmp_path, *options).err == (
        f"packagex-exports: {tmp_path / export.id}.csv: {size}, verified by checksum\n"
    )


def test_waiting_is_reported_once(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """With `--json` it is an event with the ids; with `--quiet` it is not reported."""
    late = [add_small_export(empty, status="processing").id for _ in range(2)]
    records = cli("sync", tmp_path, "--wait-timeout", "0.05", "--json").records
    assert [record for record in records if record["event"] == "waiting"] == [
        {"event": "waiting", "export_ids": late}
    ]
    assert cli("sync", tmp_path, "--wait-timeout", "0.05").err.count("waiting for 2 exports") == 1
    assert cli("sync", tmp_path, "--wait-timeout", "0.05", "--quiet").err == ""


def test_terminal_shows_a_dashboard(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows disappear in the end. The table of totals is on stdout."""
    add_small_export(empty)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    result = cli("sync", tmp_path)
    assert result.code == 0
    assert "exports, " in terminal.getvalue()
    assert "total" in terminal.getvalue()
    assert terminal.is_cleared()
    assert summary_counts(result)["files"] == "2"
