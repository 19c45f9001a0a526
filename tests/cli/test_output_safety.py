"""What a server or a manifest says cannot give orders to a terminal, forge a line, or show a secret."""

from __future__ import annotations

import io
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
from packagex_async.cli.display.dashboard import Board
from packagex_async.cli.display.progress import Bars, Waiting
from packagex_async.cli.display.tables import complain, show, show_json, show_table
from packagex_async.cli.display.tally import Tally
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator, Garbage, Status
from tests.cli.support import CANARY, Ended, Terminal

HOSTILE = [
    "\x1b]0;owned\x07",
    "a\r\nforged: line",
    "\u202egnp.exe\u2066",
    "\u2028b\u2029c\x85d\x9b31m",
    "[red]x[/red][link=https://evil.example]y[/link] :smile:",
    "//evil.example/a'\"<>?sig=SIGNATURE",
    "\u200b\ufeff\x7f\x00",
]
# What rich itself writes: colours, cursor movements, erasures, and whether the cursor shows.
OF_RICH = re.compile(r"\x1b\[[0-9;]*[mAKGJ]|\x1b\[\?25[lh]|\r")


def assert_safe(text: str) -> None:
    """Only printable characters and line ends, no markup that was obeyed, and no secret."""
    assert not [char for char in text if unicodedata.category(char)[0] in "CZ" and char not in " \n"]
    assert "SIGNATURE" not in text
    assert CANARY not in text
    assert "\nforged" not in text


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request: pytest.FixtureRequest) -> str:
    """A text that a server has chosen."""
    text: str = request.param
    return text


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, which writes to no terminal."""

    def run(*arguments: str | Path, base_url: str | None = None) -> Ended:
        connection = ["--base-url", base_url, "--attempts", "1"] if base_url else []
        code = main([*map(str, arguments), *connection])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


def hostile_answer(text: str, status: str | None = None) -> bytes:
    """An export whose every text is hostile."""
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
    """The folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("status", [None, "completed", "failed"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_of_the_api_reaches_a_stream_as_it_is(
    command: str, status: str | None, hostile: str, empty: Emulator, folder: Path, run: Run
) -> None:
    """Ids, names, statuses, and names of fields, in results and in errors."""
    body = hostile_answer(hostile, status)
    if not command.startswith(("list", "sync")):
        data = json.loads(body)["data"][0]
        body = json.dumps({"data": data}).encode()
    empty.inject(Garbage(body), times=None)
    ended = run(*COMMANDS[command], base_url=empty.base_url)
    assert ended.out + ended.err
    for text in (ended.out, ended.err):
        assert_safe(text)
        assert "Traceback" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_error_of_the_api_reaches_a_stream_as_it_is(
    command: str, hostile: str, empty: Emulator, folder: Path, run: Run
) -> None:
    """Messages, codes, endpoints and properties; the error is one line."""
    error = {
        "message": f"{hostile} {CANARY}",
        "error_code": hostile,
        "endpoint": hostile,
        "errors": [{hostile: 1}],
    }
    empty.inject(Status(400, body=json.dumps(error).encode(), on="api"), times=None)
    ended = run(*COMMANDS[command], base_url=empty.base_url)
    assert ended.err.startswith("packagex-exports: ")
    assert all(line.startswith("packagex-exports: ") for line in ended.err.splitlines())
    for text in (ended.out, ended.err):
        assert_safe(text)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_text_of_a_manifest_reaches_a_stream_as_it_is(
    hostile: str, options: list[str], folder: Path, run: Run
) -> None:
    """`verify` shows paths that somebody else may have written."""
    line = {
        "export_id": hostile, "artifact": "csv", "path": f"{hostile}.csv", "size": 1, "sha256": "0" * 64,
        "verified": "none", "when": "2024-05-01T02:00:07+00:00", "updated_at": None,
    }  # fmt: skip
    (folder / "packagex-manifest.jsonl").write_text(json.dumps(line) + "\n")
    ended = run("verify", folder, *options)
    for text in (ended.out, ended.err):
        assert_safe(text)


# --- on a terminal


def screen(terminal: Terminal) -> str:
    """What rich has written, without its own control sequences."""
    return OF_RICH.sub("", terminal.getvalue())


def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal behind stderr that is wide enough for everything."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def hostile_event(text: str, kind: ProgressKind = ProgressKind.STARTED, **told: Any) -> ProgressEvent:
    return ProgressEvent(kind=kind, export_id=f"exp_{text}", artifact=Artifact.CSV, total=10, **told)


def test_no_progress_obeys_a_server(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither bars, nor the board, nor the line of an export that is waited for."""
    terminal = wide_terminal(monkeypatch)
    with Bars(quiet=False) as bars:
        bars(hostile_event(hostile))
        bars._progress.refresh()
    with Board() as board:
        board.step(hostile_event(hostile))
        board.step(hostile_event(hostile, ProgressKind.ADVANCED, received=5))
        error = StorageError(hostile, export_id=hostile, artifact=Artifact.CSV)
        report = DownloadReport(export_id=hostile, failures=ByArtifact([error]))
        tally = Tally()
        tally.add(report)
        board.done(report, tally)
        board._progress.refresh()
    with Waiting(f"export {hostile}", quiet=False) as waiting:
        waiting.tell(f"export {hostile} is {hostile}")
        waiting._progress.refresh()
    assert_safe(screen(terminal))
    if "[red]" in hostile:
        assert "[red]x[/red]" in screen(terminal)
        assert ":smile:" in screen(terminal)


def test_no_table_obeys_a_server(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a line."""
    terminal = wide_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    show_table(["id", "name"], [[hostile, hostile]], foldable={"name"})
    show_json({hostile: [hostile]})
    complain(hostile)
    assert_safe(screen(out))
    assert_safe(screen(terminal))
    assert terminal.getvalue().count("\n") == 1


def test_a_path_of_the_user_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs go on with it. What it holds for a terminal is escaped."""
    path = Path("what?", "a=b", "x.csv")
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setattr(sys, "stderr", err := io.StringIO())
    show_json({"path": path})
    show_table(["path"], [[path]])
    complain(path, ": there")
    show("PX_API_KEY=for the emulator\n")
    assert json.loads(out.getvalue().splitlines()[0]) == {"path": str(path)}
    assert out.getvalue().splitlines()[1:] == ["path", str(path), r"PX_API_KEY=for the emulator\n"]
    assert err.getvalue() == f"packagex-exports: {path}: there\n"
    complain(Path("a\x1bb"))
    assert err.getvalue().endswith(": a\\x1bb\n")


# --- the key


@pytest.mark.parametrize("mark", ["\ufeff", " \ufeff \n"])
def test_a_byte_order_mark_is_no_part_of_the_key(
    mark: str, empty: Emulator, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors write one; neither in a file nor in the variable does it do any harm."""
    (tmp_path / "key").write_text(f"{mark}{CANARY}\n", encoding="utf-8")
    assert run("list", "--api-key-file", tmp_path / "key", base_url=empty.base_url).code == 0
    monkeypatch.setenv("PX_API_KEY", f"{mark}{CANARY}")
    assert run("list", base_url=empty.base_url).code == 0
    assert {request.headers["PX-API-KEY"] for request in empty.requests} == {CANARY}


@pytest.mark.parametrize("total", [10**19, 10**400, -1, 0])
def test_no_progress_fails_on_an_absurd_total(total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may send any number; a total that cannot be shown counts as unknown."""
    terminal = wide_terminal(monkeypatch)
    with Board() as board, Bars(quiet=False) as bars:
        board.expect(total)
        for kind in (ProgressKind.STARTED, ProgressKind.ADVANCED):
            event = ProgressEvent(
                kind=kind, export_id="exp_1", artifact=Artifact.CSV, received=5, total=total
            )
            board.step(event)
            bars(event)
        board._progress.refresh()
        bars._progress.refresh()
    assert "exp_1 csv" in screen(terminal)
