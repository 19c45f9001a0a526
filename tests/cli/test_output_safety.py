"""Text of a server or a manifest cannot control the terminal, forge lines or reveal secrets."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind, StorageError
from packagex_async.cli import main
from packagex_async.cli.display.dashboard import Dashboard
from packagex_async.cli.display.notices import Notice
from packagex_async.cli.display.progress import ArtifactBars, WaitIndicator
from packagex_async.cli.display.tables import print_error, print_json, print_table
from packagex_async.cli.display.totals import Totals
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator, Garbage, Status
from tests.cli.support import CANARY, Result, Terminal

HOSTILE = [
    "\x1b]0;owned\x07",
    "a\r\nforged: line",
    "\u202egnp.exe\u2066",
    "\u2028b\u2029c\x85d\x9b31m",
    "[red]x[/red][link=https://evil.example]y[/link] :smile:",
    "//evil.example/a'\"<>?sig=SIGNATURE",
    "\u200b\ufeff\x7f\x00",
]
# Control sequences of rich: colors, cursor movements, erasures, visibility of the cursor.
RICH_SEQUENCES = re.compile(r"\x1b\[[0-9;]*[mAKGJ]|\x1b\[\?25[lh]|\r")


def assert_safe(text: str) -> None:
    """Check that `text` has only printable characters, tabs and newlines, no forged line and no secret."""
    assert not [char for char in text if unicodedata.category(char)[0] in "CZ" and char not in " \t\n"]
    assert "SIGNATURE" not in text
    assert CANARY not in text
    assert "\nforged" not in text


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request: pytest.FixtureRequest) -> str:
    """A malicious text of a server."""
    text: str = request.param
    return text


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command without a terminal."""

    def run(*arguments: str | Path, base_url: str | None = None) -> Result:
        connection = ["--base-url", base_url, "--attempts", "1"] if base_url else []
        code = main([*map(str, arguments), *connection])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


def hostile_body(text: str, status: str | None = None) -> bytes:
    """Return a listing of one export in which every string is `text`."""
    export = {
        "id": f"exp_{text}",
        "object": text,
        "name": text,
        "resource": text,
        "status": status or text,
        "organization_id": text,
        "_csv_url": f"https://127.0.0.1/{text}",
        f"{text}": text,
        "count_total": text,
    }
    return json.dumps({"data": [export], "pagination": {"has_more": False}}).encode()


COMMANDS = {
    "list": ["list"],
    "list --json": ["list", "--json"],
    "get": ["get", "exp_1"],
    "get --json": ["get", "exp_1", "--json"],
    "wait": ["wait", "exp_1", "--timeout", "0.01"],
    "wait --json": ["wait", "exp_1", "--timeout", "0.01", "--json"],
    "download": ["download", "exp_1", "--directory", "."],
    "download --json": ["download", "exp_1", "--directory", ".", "--json"],
    "create": ["create", "contact"],
    "create --download": ["create", "contact", "--timeout", "0.01", "--download", "."],
    "sync": ["sync", "."],
    "sync --json": ["sync", ".", "--json"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the commands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("status", [None, "completed", "failed"])
@pytest.mark.parametrize("command", COMMANDS)
def test_strings_of_the_api_are_sanitized(
    command: str, status: str | None, hostile: str, empty: Emulator, folder: Path, run: Run
) -> None:
    """Ids, names, statuses and field names, in results and in errors."""
    body = hostile_body(hostile, status)
    if not command.startswith(("list", "sync")):
        data = json.loads(body)["data"][0]
        body = json.dumps({"data": data}).encode()
    empty.inject(Garbage(body), times=None)
    result = run(*COMMANDS[command], base_url=empty.base_url)
    assert result.out + result.err
    for text in (result.out, result.err):
        assert_safe(text)
        assert "Traceback" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_errors_of_the_api_are_sanitized(
    command: str, hostile: str, empty: Emulator, folder: Path, run: Run
) -> None:
    """Messages, codes, endpoints and properties. Each error is one line."""
    error = {
        "message": f"{hostile} {CANARY}",
        "error_code": hostile,
        "endpoint": hostile,
        "errors": [{hostile: 1}],
    }
    empty.inject(Status(400, body=json.dumps(error).encode(), on="api"), times=None)
    result = run(*COMMANDS[command], base_url=empty.base_url)
    assert result.err.startswith("packagex-exports: ")
    assert all(line.startswith("packagex-exports: ") for line in result.messages)
    for text in (result.out, result.err):
        assert_safe(text)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_strings_of_a_manifest_are_sanitized(
    hostile: str, options: list[str], folder: Path, run: Run
) -> None:
    """`verify` prints paths from the manifest."""
    line = {
        "export_id": hostile, "artifact": "csv", "path": f"{hostile}.csv", "size": 1, "sha256": "0" * 64,
        "verified": "none", "when": "2024-05-01T02:00:07+00:00", "updated_at": None,
    }  # fmt: skip
    (folder / "packagex-manifest.jsonl").write_text(json.dumps(line) + "\n")
    result = run("verify", folder, *options)
    for text in (result.out, result.err):
        assert_safe(text)


# On a terminal.


def screen(terminal: Terminal) -> str:
    """Return the text on the terminal without the control sequences of rich."""
    return RICH_SEQUENCES.sub("", terminal.getvalue())


def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Replace stderr by a terminal that is wide enough for every line."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def hostile_event(text: str, kind: ProgressKind = ProgressKind.STARTED, **fields: Any) -> ProgressEvent:
    """Return an event of an export with `text` in its id."""
    return ProgressEvent(kind=kind, export_id=f"exp_{text}", artifact=Artifact.CSV, total=10, **fields)


def test_progress_is_sanitized(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars, the dashboard and the wait indicator."""
    terminal = wide_terminal(monkeypatch)
    with ArtifactBars(quiet=False) as bars:
        bars(hostile_event(hostile))
        bars.refresh()
    totals = Totals()
    with Dashboard(totals) as dashboard:
        dashboard.on_progress(hostile_event(hostile))
        dashboard.on_progress(hostile_event(hostile, ProgressKind.ADVANCED, received=5))
        error = StorageError(hostile, export_id=hostile, artifact=Artifact.CSV)
        report = DownloadReport(export_id=hostile, failures=ByArtifact([error]))
        totals.add(report)
        dashboard.on_notice(Notice("request_retried", hostile, 5.0))
        dashboard.on_report(report)
        dashboard.refresh()
    with WaitIndicator(f"export {hostile}", quiet=False) as indicator:
        indicator.update(f"export {hostile} is {hostile}")
        indicator.refresh()
    assert_safe(screen(terminal))
    if "[red]" in hostile:
        assert "[red]x[/red]" in screen(terminal)
        assert ":smile:" in screen(terminal)


def test_tables_and_lines_are_sanitized(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup of rich is printed as text."""
    terminal = wide_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    print_table(["id", "name"], [[hostile, hostile]])
    print_json({hostile: [hostile]})
    print_error(hostile)
    assert_safe(screen(out))
    assert_safe(screen(terminal))
    assert terminal.getvalue().count("\n") == 1
