"""The command `cat`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Cut, Emulator, Expired, Status, WrongHash
from packagex_async.testing.faults import TargetedFault
from tests.cli.support import (
    COMMAND,
    PATIENT_COMMAND,
    TIMEOUT,
    Cli,
    Result,
    SignallingStall,
    add_small_export,
)

LARGE = b"id,name\n" + b"1,a name of a contact\n" * 200_000


def run(server: Emulator, *arguments: str) -> Result:
    """Run the command in a separate process."""
    options = ["--base-url", server.base_url, "--attempts", "1"]
    done = subprocess.run([*COMMAND, "cat", *arguments, *options], capture_output=True, check=False)
    return Result(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode())


def test_bytes_are_unchanged(server: Emulator) -> None:
    """The output has the bytes of the artifact, also those that are not UTF-8. Stderr is empty."""
    content = b"a\r\n\0" + bytes(range(256))
    export = server.add_export(content={"csv": content})
    assert run(server, export.id) == (0, content.decode("latin-1"), "")


@pytest.mark.parametrize("artifact", ["json", "csv", "csv_error", "csv_sanitized"])
def test_each_artifact(server: Emulator, cli: Cli, artifact: str) -> None:
    """The second argument is the name of the artifact."""
    export = server.add_export(content={artifact: artifact.encode()})
    assert cli("cat", export.id, artifact) == (0, artifact, "")


def test_csv_is_the_default(server: Emulator, cli: Cli) -> None:
    """Without a second argument, the output is the CSV. The command writes no file."""
    export = add_small_export(server)
    assert cli("cat", export.id) == (0, "a,b\n1,2\n", "")


def test_large_artifact(server: Emulator) -> None:
    """The command writes all bytes of an artifact with many blocks."""
    export = server.add_export(content={"csv": LARGE})
    result = run(server, export.id)
    assert (result.code, result.err) == (0, "")
    assert result.out == LARGE.decode()


def test_rows_are_json_lines(server: Emulator, cli: Cli) -> None:
    """Each line is an object: a CSV row with the columns as keys, or a record of a JSON file."""
    csv = 'id,note\n1,"two\nlines"\n\n2,é\n'.encode()
    records = [{"id": 1, "tags": ["é", None]}, {"id": 2.5}]
    export = server.add_export(content={"csv": csv, "json": json.dumps(records).encode()})
    result = cli("cat", export.id, "--rows")
    assert (result.code, result.err) == (0, "")
    assert result.records == [{"id": "1", "note": "two\nlines"}, {"id": "2", "note": "é"}]
    assert cli("cat", export.id, "json", "--rows").records == records


def test_malformed_row(server: Emulator, cli: Cli) -> None:
    """The rows before the malformed row are written. The message names the row, but not its contents."""
    export = server.add_export(content={"csv": b"id\n" + b"1\n" * 1000 + b"SECRET,surplus\n"})
    result = cli("cat", export.id, "--rows")
    assert result.code == ExitCode.NOTHING
    assert len(result.records) == 1000
    assert "row 1001" in result.err
    assert "SECRET" not in result.err


def test_artifact_that_is_not_offered(server: Emulator, cli: Cli) -> None:
    """The exit code differs from the exit code of other failures."""
    export = add_small_export(server)
    message = f"packagex-exports: export {export.id}, artifact csv_error: the export does not offer it"
    result = cli("cat", export.id, "csv_error")
    assert (result.code, result.out, result.messages) == (ExitCode.NOT_FOUND, "", [message])


def test_invalid_option(server: Emulator, cli: Cli) -> None:
    """It is an error of the usage."""
    assert cli("cat", "exp_1", "--base-url", "http://example.com").code == ExitCode.USAGE
    assert server.requests == []


@pytest.mark.parametrize(
    "fault",
    [Status(403, on="storage"), Status(401, on="api"), Status(500, on="api"), Expired(), WrongHash()],
    ids=lambda fault: repr(fault),
)
def test_exit_codes_are_those_of_download(
    server: Emulator, cli: Cli, tmp_path: Path, fault: TargetedFault
) -> None:
    """Each failure has the exit code of `download`, and one message on stderr."""
    server.inject(fault, times=None)
    export = add_small_export(server)
    result = cli("cat", export.id)
    assert result.code == cli("download", export.id, "--artifacts", "csv", "--directory", tmp_path).code != 0
    assert (result.out, len(result.messages)) == ("", 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [("queued", ExitCode.NOTHING), ("failed", ExitCode.FAILED), ("timed_out", ExitCode.FAILED)],
)
def test_export_that_is_not_completed(
    server: Emulator, cli: Cli, tmp_path: Path, status: str, code: ExitCode
) -> None:
    """An export that is not completed has the exit code of `download`."""
    export = server.add_export(status=status)
    assert cli("cat", export.id).code == cli("download", export.id, "--directory", tmp_path).code == code


def test_incomplete_output(server: Emulator, cli: Cli) -> None:
    """If bytes were written before the failure, a second message says how many."""
    server.inject(Cut(1_000_000), times=None)
    export = server.add_export(content={"csv": LARGE})
    result = cli("cat", export.id)
    assert result.code == ExitCode.NOTHING
    assert LARGE.decode().startswith(result.out)
    assert result.err.endswith(f"packagex-exports: the output is incomplete after {len(result.out)} bytes\n")


needs_pipes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")


@needs_pipes
@pytest.mark.parametrize("options", [[], ["--rows"]])
def test_reader_that_leaves(server: Emulator, options: list[str]) -> None:
    """If the reader closes the pipe, the command ends quietly with the exit code for this case."""
    export = server.add_export(content={"csv": LARGE})
    arguments = [*COMMAND, "cat", export.id, *options, "--base-url", server.base_url]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(1)
        process.stdout.close()
        assert (process.wait(TIMEOUT), process.stderr.read()) == (ExitCode.BROKEN_PIPE, b"")


@needs_pipes
def test_full_disk(server: Emulator, cli: Cli) -> None:
    """If the disk is full, the message is that of the operating system."""
    export = add_small_export(server)
    arguments = [*COMMAND, "cat", export.id, "--base-url", server.base_url]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr) == (
        ExitCode.ERROR,
        "packagex-exports: stdout: No space left on device\n"
        "hint: free disk space, then run the command again\n",
    )


@needs_pipes
@pytest.mark.parametrize("options", [[], ["--rows"], ["-o", "-"]])
def test_closed_stdout(server: Emulator, options: list[str]) -> None:
    """The artifact would be lost, so it is an error, and no request is sent."""
    arguments = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "cat", "exp_1", *options]
    arguments += ["--base-url", server.base_url]
    done = subprocess.run(arguments, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr, server.requests) == (
        ExitCode.ERROR,
        "packagex-exports: stdout: it is closed\nhint: redirect stdout to a file or to another program\n",
        [],
    )


def test_output_file_with_closed_stdout(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has the artifact, so it is no error."""
    export = add_small_export(server)
    monkeypatch.setattr(sys, "stdout", None)
    file = tmp_path / "contacts.csv"
    assert main(["cat", export.id, "--base-url", server.base_url, "--output", str(file)]) == ExitCode.OK
    assert file.read_bytes() == b"a,b\n1,2\n"


def test_first_bytes_arrive_before_the_last_ones(server: Emulator) -> None:
    """The command writes the first bytes before the last bytes have arrived."""
    export = server.add_export(content={"csv": LARGE})
    server.inject(stall := SignallingStall(after=4_000_000))
    arguments = [*COMMAND, "cat", export.id, "--base-url", server.base_url]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.read(2_000_000) == LARGE[:2_000_000]
        assert stall.started.wait(TIMEOUT)
        process.kill()


@needs_pipes
@pytest.mark.parametrize(
    ("number", "code", "message"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signal_while_the_reader_does_not_read(
    server: Emulator, number: int, code: int, message: str
) -> None:
    """A signal ends the command cleanly, although its thread cannot write."""
    export = server.add_export(content={"csv": LARGE})
    arguments = [*PATIENT_COMMAND, "cat", export.id, "--base-url", server.base_url]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        # The pipe takes only a part of the artifact, so the command is writing.
        assert process.stdout.read(1)
        process.send_signal(number)
        assert (process.wait(TIMEOUT), process.stderr.read()) == (
            code,
            f"packagex-exports: {message}\n".encode(),
        )


def test_output_file(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The file is written completely, and stdout shows its size. Rows work too."""
    export = add_small_export(server)
    file = tmp_path / "contacts.csv"
    result = cli("cat", export.id, "-o", file)
    assert (result.code, result.err) == (0, "")
    assert result.table == [{"export_id": export.id, "artifact": "csv", "size": "8", "path": str(file)}]
    assert file.read_bytes() == b"a,b\n1,2\n"
    (record,) = cli("cat", export.id, "--rows", "--json", "--output", file).records
    assert record == {
        "event": "written", "export_id": export.id, "artifact": "csv", "size": 18, "path": str(file),
    }  # fmt: skip
    assert file.read_text() == '{"a":"1","b":"2"}\n'


def test_failure_writes_no_file(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """An existing file is unchanged."""
    server.inject(Cut(1_000_000), times=None)
    export = server.add_export(content={"csv": LARGE})
    file = tmp_path / "contacts.csv"
    file.write_text("old")
    result = cli("cat", export.id, "-o", file)
    assert (result.code, result.out, len(result.messages)) == (ExitCode.NOTHING, "", 1)
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])


@pytest.mark.parametrize("option", ["--json", "--bytes"])
def test_options_of_the_output_file(option: str, server: Emulator, cli: Cli) -> None:
    """Stdout contains the artifact, so they need `--output`."""
    result = cli("cat", "exp_1", option)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "need --output" in result.err
    assert server.requests == []


def test_unknown_artifact(server: Emulator, cli: Cli) -> None:
    """The message names the argument, and no request is sent."""
    result = cli("cat", "exp_1", "xml")
    assert (result.code, server.requests) == (ExitCode.USAGE, [])
    assert result.messages == [
        'packagex-exports: invalid value "xml" for ARTIFACT. '
        'Choose from: "json", "csv", "csv_error", "csv_sanitized".'
    ]
