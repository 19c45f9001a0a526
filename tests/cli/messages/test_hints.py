"""Every error has a message and a hint."""

from __future__ import annotations

import errno
import re

import pytest
from cyclopts import CycloptsError

from packagex_async import (
    Artifact,
    BadRequestError,
    ChecksumError,
    ConfigurationError,
    DestinationError,
    NotFoundError,
    PackageXError,
    StorageError,
)
from packagex_async.cli.app import app
from packagex_async.cli.messages.hints import error_hint, error_message
from packagex_async.cli.messages.usage import UsageError
from tests.unit.test_errors import EXAMPLES


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_has_a_hint(error: PackageXError) -> None:
    """Each class in the error tree has its hint, in words of the command line."""
    hint = error_hint(error)
    assert re.match(r"[a-z]", hint)
    assert not re.search(r"\w=|\(|[.:]$", hint)


def test_options_in_hints_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option belongs to a command."""
    for command in ("list", "create", "cat", "sync", "download"):
        app.meta([command, "--help"], result_action="return_value")
    app.meta(["--help"], result_action="return_value")
    text = capsys.readouterr().out
    options = {option for error in EXAMPLES for option in re.findall(r"--\w[\w-]*", error_hint(error))}
    assert options
    assert [option for option in sorted(options) if option not in text] == []


def test_unknown_error_has_the_hint_of_its_base_class() -> None:
    """A new class needs no entry."""

    class NewError(ChecksumError):
        pass

    error = NewError("no", export_id="exp_1", artifact=Artifact.CSV)
    assert error_hint(error) == error_hint(ChecksumError("no", export_id="exp_1", artifact=Artifact.CSV))
    assert error_hint(ValueError("no")) == error_hint(PackageXError("no"))


def test_hint_of_a_usage_error() -> None:
    """It may have its own hint."""
    assert error_hint(UsageError("no", hint="do this")) == "do this"
    assert error_hint(UsageError("no")) == error_hint(ConfigurationError("no"))


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.EEXIST, "use --overwrite"), (errno.ENOSPC, "free disk space"), (errno.EIO, "check the path")],
)
def test_hint_of_a_destination_error(number: int, hint: str) -> None:
    """It depends on the reason."""
    error = DestinationError("no", export_id="exp_1", artifact=Artifact.CSV, errno=number)
    assert error_hint(error).startswith(hint)


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("it has 9 bytes or more, which is above max_size=8", "use a larger --max-size"),
        (
            "it declares neither length nor hash, and require_verification is set",
            "leave --require-verification",
        ),
    ],
)
def test_hint_of_a_limit(message: str, hint: str) -> None:
    """It names the option that sets the limit."""
    assert error_hint(StorageError(message, export_id="exp_1", artifact=Artifact.CSV)).startswith(hint)


@pytest.mark.parametrize("number", [errno.ELOOP, errno.ENOTDIR, errno.ENOENT])
def test_hint_of_an_error_of_the_operating_system(number: int) -> None:
    """It is about the path, and not about requests."""
    assert error_hint(OSError(number, "no", "a")) == "check the path, or choose another one"


def test_hint_of_a_parsing_error() -> None:
    """It names the command."""
    with pytest.raises(CycloptsError) as raised:
        app.parse_args(["list", "--page", "one"], exit_on_error=False, print_error=False)
    assert error_hint(raised.value) == "run packagex-exports list --help to see its options"
    assert error_hint(CycloptsError("no")) == "run packagex-exports --help to see its commands"


def test_parsing_error_has_the_form_of_other_errors() -> None:
    """It starts with a small letter."""
    with pytest.raises(CycloptsError) as raised:
        app.parse_args(["list", "--colour"], exit_on_error=False, print_error=False)
    assert error_message(raised.value).startswith("unknown option")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("list extra", "unexpected argument 'extra'", "run packagex-exports list --help to see its options"),
        (
            "-q list",
            "unknown option -q before the command",
            "write it after the command: packagex-exports COMMAND -q",
        ),
        (
            "lst",
            'unknown command "lst". Did you mean "list"?',
            "run packagex-exports --help to see its commands",
        ),
    ],
)
def test_arguments_that_no_command_expects(arguments: str, message: str, hint: str) -> None:
    """The message says which, and the hint where to write it."""
    with pytest.raises(CycloptsError) as raised:
        app.parse_args(arguments.split(), exit_on_error=False, print_error=False)
    assert error_message(raised.value).startswith(message)
    assert error_hint(raised.value) == hint


def test_message_contains_the_errors_of_the_api() -> None:
    """Each of them is the name of a property and a reason. The advice of the SDK is not repeated."""
    error = BadRequestError("bad", status=400, errors=[{"field": "limit", "message": "too large"}, "page"])
    assert error_message(error) == "request: 400: bad; limit: too large; page"
    assert error_message(NotFoundError("none", status=404)) == "request: 404: none"


def test_message_of_other_errors() -> None:
    """Errors of the operating system name the file, without their number."""
    assert error_message(ConfigurationError("limit must be 1")) == "--limit must be 1"
    assert error_message(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert error_message(OSError(errno.ENOENT, "No such file", "a")) == "a: No such file"
    assert error_message(ValueError("no")) == "no"


def test_buckets() -> None:
    """The hints name objects and buckets, not directories."""
    error = DestinationError(
        "exists", export_id="exp_1", artifact=Artifact.CSV, filename="s3://b/a.csv", errno=errno.EEXIST
    )
    other = DestinationError("denied", export_id="exp_1", artifact=Artifact.CSV, filename="s3://b")
    full = DestinationError(
        "full", export_id="exp_1", artifact=Artifact.CSV, filename="s3://b/a.csv", errno=errno.ENOSPC
    )
    assert "replace the object" in error_hint(error)
    assert "name of the bucket" in error_hint(other)
    assert "quota" in error_hint(full)
