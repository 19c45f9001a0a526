"""Exit codes of errors, in the help and in the documentation."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from packagex_async import (
    Artifact,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    DestinationError,
    DirectoryError,
    ExportFailedError,
    ExportGoneError,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    PermissionDeniedError,
    ServerError,
    UnconfirmedError,
    WaitTimeoutError,
)
from packagex_async.cli.exit_codes import (
    HELP,
    ExitCode,
    exit_code,
    exit_code_of_downloads,
    exit_code_when_stopped,
)
from packagex_async.testing import Emulator, Status
from tests.cli.support import Cli


def destination_error(filename: str, number: int) -> DestinationError:
    return DestinationError("no", export_id="exp_1", artifact=Artifact.CSV, filename=filename, errno=number)


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
        (DirectoryError("no", filename="exports", errno=errno.EACCES), 1),
        (DirectoryError("no", filename="s3://b", errno=errno.EACCES), 7),
        (destination_error("s3://b/a.csv", errno.ENOSPC), 7),
        (destination_error("s3://b/a.csv", errno.EEXIST), 1),
        (destination_error("a.csv", errno.EACCES), 1),
    ],
)
def test_exit_code_of_an_error(error: PackageXError, code: int) -> None:
    """Subclasses of an error have its exit code, unless they have their own."""
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "code"), [(AuthenticationError("no", status=401), 3), (ServerError("no", status=500), 7)]
)
def test_exit_code_of_a_stopped_sync(error: PackageXError, code: int) -> None:
    """Usage, authentication and missing exports keep their codes; other errors are 7."""
    assert exit_code_when_stopped(error) == code


@pytest.mark.parametrize(
    ("failures", "any_succeeded", "code"),
    [
        ([], False, 0),
        ([ExitCode.ERROR], True, 5),
        ([ExitCode.ERROR], False, 6),
        ([ExitCode.NOT_FOUND, ExitCode.NOT_FOUND], False, 4),
        ([ExitCode.NOT_FOUND, ExitCode.AUTHENTICATION], False, 6),
        ([ExitCode.STOPPED, ExitCode.STOPPED], False, 7),
        ([ExitCode.STOPPED], True, 5),
        ([ExitCode.NOT_READY], True, 10),
        ([ExitCode.NOT_READY, ExitCode.ERROR], True, 5),
        ([ExitCode.FAILED], True, 8),
        ([ExitCode.TIMED_OUT], False, 8),
        ([ExitCode.FAILED, ExitCode.NOT_READY], True, 8),
        ([ExitCode.FAILED, ExitCode.ERROR], True, 5),
        ([ExitCode.FAILED, ExitCode.NOT_FOUND], False, 4),
    ],
)
def test_exit_code_of_several_downloads(failures: list[ExitCode], any_succeeded: bool, code: int) -> None:
    """The codes of all failures determine the common code."""
    assert exit_code_of_downloads(failures, any_succeeded=any_succeeded) == code


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([ExitCode.FAILED, ExitCode.TIMED_OUT], 0),
        ([ExitCode.FAILED, ExitCode.NOT_READY], 10),
        ([ExitCode.FAILED, ExitCode.ERROR], 6),
    ],
)
def test_failed_exports_can_be_ignored(failures: list[ExitCode], code: int) -> None:
    """Other failures keep their codes."""
    assert exit_code_of_downloads(failures, any_succeeded=False, ignore_failed_exports=True) == code


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (404, 4), (400, 2), (500, 1), (429, 1)])
@pytest.mark.parametrize("command", ["list", "get exp_1", "download exp_1"])
def test_exit_code_of_an_api_error(command: str, status: int, code: int, server: Emulator, cli: Cli) -> None:
    """The error is one line on stderr."""
    server.inject(Status(status, on="api"))
    result = cli(*command.split())
    all_failed = command.startswith("download") and code == 1
    assert result.code == (ExitCode.NOTHING if all_failed else code)
    assert str(status) in result.err
    assert len(result.messages) == 1


def test_help_lists_all_exit_codes() -> None:
    """It lists them in order."""
    assert [int(code) for code in re.findall(r"^ +(\d+)  \w", HELP, re.MULTILINE)] == list(ExitCode)


def test_documentation_lists_all_exit_codes() -> None:
    """It describes them in the same words as the help."""
    page = Path(__file__).parents[2] / "docs/reference/command-line.md"
    table = re.findall(r"^\| (\d+) \| (.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    listed = re.findall(r"^ +(\d+)  (.+)$", HELP, re.MULTILINE)
    assert [(code, text.replace("`", "")) for code, text in table] == [
        (code, text.replace("`", "")) for code, text in listed
    ]
