"""The command line: what it writes where, and how it ends."""

from __future__ import annotations

import hashlib
import io
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async import (
    Artifact,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    ExportFailedError,
    ExportGoneError,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    PermissionDeniedError,
    ProgressEvent,
    ProgressKind,
    ServerError,
    UnconfirmedError,
    WaitTimeoutError,
)
from packagex_async import cli as cli_package
from packagex_async.cli import main
from packagex_async.cli.display.progress import Bars
from packagex_async.cli.display.tables import show_table
from packagex_async.cli.exit_codes import ExitCode, exit_code
from packagex_async.testing import Emulator, Status
from tests.cli.support import CANARY, COMMAND, Cli, Noticed, Terminal, small

# --- list


def test_list_shows_every_export_in_a_row_of_its_own(server: Emulator, cli: Cli) -> None:
    """Elsewhere than on a terminal nothing is wrapped or cut off, however long it is."""
    long = server.add_export(name="n" * 300, export_id="exp_" + "i" * 120)
    ended = cli("list", "--limit", "4")
    heading, *rows = ended.out.splitlines()
    assert heading.split() == ["id", "resource", "status", "rows", "created", "name"]
    assert [row.split()[0] for row in rows] == [export.id for export in server.exports]
    assert rows[-1].endswith(long.name)
    assert "\x1b" not in ended.out
    assert (ended.code, ended.err) == (0, "")


def test_list_json_is_one_line_an_export(server: Emulator, cli: Cli) -> None:
    """Each line tells all that is known, save the URLs."""
    ended = cli("list", "--json", "--direction", "desc")
    assert [record["id"] for record in ended.records] == [export.id for export in reversed(server.exports)]
    first, stored = ended.records[-1], server.exports[0]
    assert list(first) == [
        "id", "name", "resource", "status", "count_total", "count_batches", "organization_id", "created_at",
        "updated_at",
    ]  # fmt: skip
    assert (first["resource"], first["count_total"]) == (stored.resource, stored.count_total)
    assert first["created_at"].endswith("+00:00")


def test_every_filter_of_the_listing_is_an_option(server: Emulator, cli: Cli) -> None:
    """They reach the API by its own names; statuses may be repeated or joined by commas."""
    options = "--page 1 --limit 3 --order-by count_total --direction desc --resource contact --search conta"
    ended = cli("list", *options.split(), "--statuses", "completed,queued", "--statuses", "failed")
    assert ended.code == 0
    assert server.requests[0].query == {
        "page": "1",
        "limit": "3",
        "order_by": "count_total",
        "direction": "desc",
        "resource": "contact",
        "statuses": "completed,queued,failed",
        "search": "conta",
    }
    assert len(ended.out.splitlines()) == 4


def test_the_connection_options_stand_before_the_command_too(
    server: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever types them first need not start again."""
    assert main(["--base-url", server.base_url, "list", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(server.exports)


def test_what_the_api_does_not_tell_is_not_made_up(server: Emulator, cli: Cli) -> None:
    """It is a dash in the table, and null in JSON."""
    export = server.add_export()
    server.update_export(export.id, count_total=None)
    assert cli("list").out.splitlines()[-1].split()[:4] == [export.id, "contact", "completed", "-"]
    assert cli("list", "--json").records[-1]["count_total"] is None


# --- what a terminal gets


def test_a_name_cannot_give_orders_to_the_terminal(server: Emulator, cli: Cli) -> None:
    """Control characters in what others wrote are shown, not sent; markup is text like any other."""
    server.add_export(name="\x1b]0;owned\x07[red]row\n2")
    ended = cli("list")
    assert ended.out.splitlines()[-1].endswith(r"\x1b]0;owned\x07[red]row\n2")


def test_what_stdout_cannot_encode_is_spelled_out(
    server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ASCII pipe is no reason to fail."""
    server.add_export(name="Käufer")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli("list").code == 0
    assert raw.getvalue().endswith(rb"K\xe4ufer" + b"\n")


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_no_terminal_is_too_narrow_for_an_id(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Foldable columns make room first; an id stays whole, even where the line then runs over."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    show_table(["id", "name"], [["exp_" + "x" * 40, "some words " * 8]], foldable={"name"})
    assert "exp_" + "x" * 40 in terminal.getvalue()


# --- get


def test_get_tells_which_artifacts_there_are(server: Emulator, cli: Cli) -> None:
    """For people as a table, for programs as a line of JSON."""
    export = server.exports[0]
    ended = cli("get", export.id)
    assert re.search(r"^artifacts +json, csv, csv_error, csv_sanitized$", ended.out, re.MULTILINE)
    assert re.search(rf"^id +{export.id}$", ended.out, re.MULTILINE)
    (record,) = cli("get", export.id, "--json").records
    assert record["artifacts"] == ["json", "csv", "csv_error", "csv_sanitized"]
    assert record["name"] == export.name


def test_get_of_an_unfinished_export_offers_nothing(server: Emulator, cli: Cli) -> None:
    """No artifacts is a state, not an error."""
    ended = cli("get", server.add_export(status="queued").id)
    assert re.search(r"^artifacts +-$", ended.out, re.MULTILINE)
    assert ended.code == 0


# --- download


def test_download_brings_every_byte(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table says what is on disk and what it was verified by; what is not offered is no failure."""
    export = small(server)
    ended = cli("download", export.id, "--directory", tmp_path)
    assert (tmp_path / f"{export.id}.json").read_bytes() == server.content(export.id, "json")
    assert (tmp_path / f"{export.id}.csv").read_bytes() == server.content(export.id, "csv")
    heading, *rows = [line.split() for line in ended.out.splitlines()]
    assert heading == ["export_id", "artifact", "outcome", "size", "verified", "attempts", "path"]
    path = str(tmp_path / f"{export.id}.json")
    assert rows[0] == [export.id, "json", "downloaded", "6", "checksum", "1", path]
    assert [row[1:3] for row in rows[2:]] == [["csv_error", "missing"], ["csv_sanitized", "missing"]]
    assert (ended.code, ended.err) == (0, "")


def test_download_json_is_one_line_an_artifact(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Every line has the same fields; those with nothing to tell are null."""
    export = small(server)
    ended = cli(
        "download", export.id, export.id, "--directory", tmp_path, "--json", "--artifacts", "json,csv_error"
    )
    there, missing = ended.records
    assert there | {"elapsed": 0} == {
        "export_id": export.id,
        "artifact": "json",
        "outcome": "downloaded",
        "path": str(tmp_path / f"{export.id}.json"),
        "size": 6,
        "verified": "checksum",
        "sha256": None,
        "attempts": 1,
        "resumed": False,
        "elapsed": 0,
        "error": None,
    }
    assert missing == dict.fromkeys(there) | {
        "export_id": export.id,
        "artifact": "csv_error",
        "outcome": "missing",
    }


def test_a_second_download_keeps_what_is_there(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """A digest is told of kept files, too."""
    export = small(server)
    order = ("download", export.id, "--directory", tmp_path, "--digest", "sha256")
    first, second = cli(*order).out, cli(*order).out
    digests = [
        hashlib.sha256(server.content(export.id, artifact)).hexdigest() for artifact in ("json", "csv")
    ]
    assert re.findall(r"[0-9a-f]{64}$", first, re.MULTILINE) == digests
    assert re.findall(r"[0-9a-f]{64}$", second, re.MULTILINE) == digests
    assert [line.split()[2] for line in second.splitlines()] == [
        "outcome",
        "kept",
        "kept",
        "missing",
        "missing",
    ]


def test_another_file_is_replaced_only_when_told(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The error names the way out."""
    export = small(server)
    (tmp_path / f"{export.id}.csv").write_text("mine")
    order = ("download", export.id, "--directory", tmp_path, "--artifacts", "csv")
    ended = cli(*order)
    assert ended.code == ExitCode.NOTHING
    assert "overwrite" in ended.err
    assert (tmp_path / f"{export.id}.csv").read_text() == "mine"
    assert cli(*order, "--overwrite").code == 0
    assert (tmp_path / f"{export.id}.csv").read_bytes() == server.content(export.id, "csv")


def test_one_export_that_fails_does_not_stop_the_others(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Each failure is a line on stderr and a record on stdout; the code says that something came home."""
    server.inject(Status(403, on="storage", artifact="csv"))
    half, whole = small(server), small(server)
    ended = cli("download", "exp_gone", half.id, whole.id, "--directory", tmp_path, "--json")
    assert ended.code == ExitCode.PARTIAL
    outcomes = [
        (record["export_id"], record["artifact"], record["outcome"])
        for record in ended.records
        if record["outcome"] != "missing"
    ]
    assert outcomes == [
        ("exp_gone", None, "failed"),
        (half.id, "json", "downloaded"),
        (half.id, "csv", "failed"),
        (whole.id, "json", "downloaded"),
        (whole.id, "csv", "downloaded"),
    ]
    about_gone, about_csv = ended.err.splitlines()
    assert "404" in about_gone
    assert f"export {half.id}, artifact csv: the storage host answered 403" in about_csv
    assert ended.records[0]["error"] in about_gone


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["exp_gone", "exp_lost"], ExitCode.NOT_FOUND),
        (["exp_queued"], ExitCode.NOTHING),
        (["exp_queued", "exp_gone"], ExitCode.NOTHING),
        (["exp_bare", "exp_gone"], ExitCode.PARTIAL),
    ],
)
def test_when_nothing_comes_home_the_code_says_why(
    ids: list[str], code: ExitCode, server: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """A reason that all share has its code; an export that offers nothing is no failure."""
    server.add_export(export_id="exp_queued", status="queued")
    server.add_export(export_id="exp_bare", content={})
    assert cli("download", *ids, "--directory", tmp_path).code == code


def test_an_unknown_artifact_is_refused_once(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """It is wrong for every export."""
    ended = cli("download", "exp_1", "exp_2", "--artifacts", "xlsx", "--directory", tmp_path)
    assert ended.code == ExitCode.USAGE
    assert len(ended.err.splitlines()) == 1
    assert server.requests == []


# --- progress


def test_bars_move_on_a_terminal_and_then_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell of waits and later tries, and write nothing to stdout."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    steps = [
        (ProgressKind.STARTED, 0, 1, None),
        (ProgressKind.RETRYING, 0, 1, 2.5),
        (ProgressKind.ADVANCED, 5, 2, None),
        (ProgressKind.FINISHED, 10, 2, None),
    ]
    shown = []
    with Bars(quiet=False) as bars:
        for kind, received, attempt, delay in steps:
            bars(
                ProgressEvent(
                    kind=kind,
                    export_id="exp_1",
                    artifact=Artifact.CSV,
                    received=received,
                    total=10,
                    attempt=attempt,
                    delay=delay,
                )
            )
            bars._progress.refresh()
            shown.append(terminal.getvalue())
    assert "exp_1 csv" in shown[0]
    assert "again in 2.5 s" in shown[1]
    assert "try 2" in shown[2]
    assert "10/10 bytes" in shown[3]
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")


def test_progress_is_for_terminals_that_want_it(
    server: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal gets bars; `--quiet` silences them, and a file or pipe never has any (the other tests)."""
    order = ("download", small(server).id, "--directory", tmp_path)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli(*order, "--quiet").code == 0
    assert terminal.getvalue() == ""
    assert cli(*order).code == 0
    assert terminal.getvalue() != ""


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    no_color: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR is respected."""
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Bars(quiet=False) as bars:
        bars(ProgressEvent(kind=ProgressKind.STARTED, export_id="exp_1", artifact=Artifact.CSV, total=10))
    assert bool(re.search(r"\x1b\[[0-9;]*3\d[;m]", terminal.getvalue())) is coloured


# --- the key and the connection


def test_the_key_may_lie_in_a_file(
    server: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is preferred to the variable, and the newline at its end is no part of it."""
    monkeypatch.setenv("PX_API_KEY", "another")
    (tmp_path / "key").write_text(f"{CANARY}\n")
    assert cli("list", "--api-key-file", tmp_path / "key").code == 0
    assert server.requests[0].headers["PX-API-KEY"] == CANARY


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe" + CANARY.encode()])
def test_a_key_file_that_holds_no_key(content: bytes | None, cli: Cli, tmp_path: Path) -> None:
    """The message names the file or the two ways to give a key, and quotes nothing."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    ended = cli("list", "--api-key-file", tmp_path / "key")
    assert ended.code == ExitCode.USAGE
    assert "--api-key-file" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_without_a_key_nothing_is_asked(server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to give one."""
    monkeypatch.delenv("PX_API_KEY")
    ended = cli("list")
    assert (ended.code, server.requests) == (ExitCode.USAGE, [])
    assert "PX_API_KEY" in ended.err


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (404, 4), (400, 2), (500, 1), (429, 1)])
@pytest.mark.parametrize("command", ["list", "get exp_1", "download exp_1"])
def test_what_the_api_refuses_has_a_code(
    command: str, status: int, code: int, server: Emulator, cli: Cli
) -> None:
    """One line on stderr, and nothing on stdout but a table of what was tried."""
    server.inject(Status(status, on="api"))
    ended = cli(*command.split())
    nothing = command.startswith("download") and code == 1
    assert ended.code == (ExitCode.NOTHING if nothing else code)
    assert str(status) in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_wrong_key_is_not_quoted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when it is wrong."""
    monkeypatch.setenv("PX_API_KEY", "px_wrong_key")
    ended = cli("list")
    assert ended.code == ExitCode.AUTHENTICATION
    assert "px_wrong_key" not in ended.err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that fails is an error like another."""
    assert main(["list", "--base-url", "http://127.0.0.1:9", "--attempts", "1"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("no"), 2),
        (BadRequestError("no", status=422), 2),
        (AuthenticationError("no", status=401), 3),
        (PermissionDeniedError("no", status=403), 3),
        (NotFoundError("no", status=404), 4),
        (ExportGoneError("no", export_id="exp_1"), 4),
        (ExportFailedError("no", export_id="exp_1"), 8),
        (ExportTimedOutError("no", export_id="exp_1"), 9),
        (WaitTimeoutError("no", export_id="exp_1", status=None), 10),
        (UnconfirmedError("no"), 11),
        (ServerError("no", status=500), 1),
        (ConnectionFailedError("no"), 1),
    ],
)
def test_each_error_has_its_code(error: PackageXError, code: int) -> None:
    """The table of the help, as a function."""
    assert exit_code(error) == code


# --- usage


@pytest.mark.parametrize(
    "arguments",
    [
        "frobnicate",
        "list --api-key px_secret",
        "list --api-key=px_secret",
        "list --page one",
        "list --order-by size",
        "list --environment moon",
        "list --attempts 0",
        "list --request-timeout 0",
        "list --limit 0",
        "download",
        "get",
    ],
)
def test_wrong_usage_is_one_line_and_code_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that was given as an argument is refused, and not repeated."""
    assert main(arguments.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "px_secret" not in err


def test_the_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them; each command has a help, none at all is one, too, and the version can be asked for."""
    assert main(["--help"]) == 0
    told = re.findall(r"^ +(\d+)  \w", capsys.readouterr().out, re.MULTILINE)
    assert list(map(int, told)) == list(ExitCode)
    assert main(["sync", "--help"]) == 0
    assert "--concurrency" in capsys.readouterr().out
    assert main([]) == 0
    assert "Commands" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\S*\n", capsys.readouterr().out)


def test_the_docs_tell_the_exit_codes() -> None:
    """The same ones as the help."""
    page = Path(__file__).parents[2] / "docs/reference/command-line.md"
    told = re.findall(r"^\| (\d+) \| ", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert list(map(int, told)) == list(ExitCode)


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The core is installed without rich and cyclopts; the command then names its extra."""
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["list"]) == ExitCode.USAGE
    assert "pip install 'packagex-async[cli]'" in capsys.readouterr().err


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m packagex_async.cli` takes its arguments from where every command does."""
    monkeypatch.setattr(sys, "argv", ["packagex-exports", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(cli_package.__file__).with_name("__main__.py")), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out


# --- endings


def test_the_emulator_runs_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it is and how to use it, and ends when its time is over."""
    assert main(["emulator", "--duration", "0", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"export PX_API_KEY=\S+\n  packagex-exports list --base-url http://127.0.0.1:\d+\n", out)
    assert "after 0 seconds" in out


class _Interrupting(io.StringIO):
    """A stdout at which somebody presses Ctrl-C when a certain line appears."""

    def write(self, text: str) -> int:
        if "stops on Ctrl-C" in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_ctrl_c_is_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was under way is cancelled, and one line says so."""
    monkeypatch.setattr(sys, "stdout", _Interrupting())
    assert main(["emulator"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "packagex-exports: interrupted\n"


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_a_reader_that_has_read_enough(
    json_option: list[str], server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`| head` ends the command quietly."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        ended = cli("list", *json_option)
    assert ended == (ExitCode.UNREAD, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only where there is a disk that is always full")
def test_a_full_disk_under_stdout(server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the operating system is one line, too."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        ended = cli("list")
    assert ended.code == ExitCode.ERROR
    assert "No space left" in ended.err


# --- as a process


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGINT there")
def test_a_process_that_is_interrupted_ends_at_once(server: Emulator, tmp_path: Path) -> None:
    """In the middle of a body: code 130, no traceback, no file; and the next run finishes the job."""
    server.inject(stall := Noticed(after=3))
    # One artifact alone: another could have come to its end before.
    arguments = ["download", small(server).id, "--artifacts", "csv"]
    arguments += ["--directory", str(tmp_path), "--base-url", server.base_url]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert stall.begun.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "packagex-exports: interrupted\n")
    assert not list(tmp_path.glob("[!.]*"))
    again = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert not list(tmp_path.glob(".*"))


def test_a_process_runs_without_a_warning(server: Emulator) -> None:
    """Every warning would be an error here."""
    command = [*COMMAND, "list", "--json", "--base-url", server.base_url]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == len(server.exports)


def test_the_package_does_without_the_terminal() -> None:
    """Importing the package, its client and the command's door loads neither rich nor cyclopts."""
    code = (
        "import sys, packagex_async, packagex_async.cli; packagex_async.AsyncPackageX; "
        "sys.exit(any(name in sys.modules for name in ('rich', 'cyclopts')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
