"""The documentation of the errors contains every error class and agrees with the code."""

from __future__ import annotations

import copy
import errno
import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    ArtifactNotOfferedError,
    AsyncExports,
    DestinationError,
    DirectoryError,
    DownloadError,
    DownloadGroupError,
    ExportNotReadyError,
    ExportStateError,
    PackageXError,
    RetryPolicy,
    WaitTimeoutError,
    errors,
)
from packagex_async.cli.exit_codes import exit_code, exit_code_of_downloads
from packagex_async.testing import Cut, Emulator, Expired, Fault, Garbage, Refuse, Stall, Status, WrongHash
from tests.time_limits import LIMITED
from tests.unit.test_errors import EXAMPLES

PAGE = (Path(__file__).parents[2] / "docs/reference/errors.md").read_text(encoding="utf-8")

BASES = (PackageXError, ExportStateError, DownloadError)
"""Classes that are never raised themselves."""


@attrs.frozen
class Entry:
    """A section of the page."""

    level: int
    name: str
    text: str

    def field(self, name: str) -> str:
        """Return the text of a field; empty without the field."""
        found = re.search(rf"^- \*\*{name}:\*\* ((?:.+\n)(?:  .+\n)*)", self.text, re.MULTILINE)
        return found[1] if found else ""


ENTRIES = [
    Entry(len(marks), name, text)
    for marks, name, text in re.findall(r"^(##+) (\w+)\n\n((?:(?!#).*\n)*)", PAGE, re.MULTILINE)
]
NAMED = {entry.name: entry for entry in ENTRIES}
RAISED = [error for error in EXAMPLES if type(error) not in BASES]


def error_classes() -> list[type[PackageXError]]:
    """Return all error classes in the order of their definition."""
    named = [*vars(errors).values(), DownloadGroupError]
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, PackageXError)]


def depth(kind: type[PackageXError]) -> int:
    """Return the depth of a class in the tree; children of the root have the depth of the root."""
    parent = kind.__bases__[0]
    return 0 if parent in (Exception, PackageXError) else 1 + depth(parent)


def documented_attributes(kind: type[PackageXError]) -> list[str]:
    """Return the attributes in the docstring of a class."""
    _, _, attributes = (inspect.cleandoc(kind.__doc__ or "")).partition("Attributes:\n")
    return re.findall(r"^    (\w+):", attributes, re.MULTILINE)


def test_page_contains_every_error_once() -> None:
    """In the order and at the depth of the tree."""
    assert [(entry.name, entry.level) for entry in ENTRIES] == [
        (kind.__name__, 2 + depth(kind)) for kind in error_classes()
    ]


def test_tree_equals_that_of_the_code() -> None:
    """Line by line."""
    (tree,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert inspect.cleandoc("\n" + tree) in inspect.cleandoc((errors.__doc__ or "").replace("\n    ", "\n"))


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_entry_agrees_with_docstring(kind: type[PackageXError]) -> None:
    """The entry starts with the first sentence of the docstring and lists the same attributes."""
    entry = NAMED[kind.__name__]
    # The reference to the documentation of the API is only in the docstring.
    summary, _, _ = (kind.__doc__ or "").partition("\n")[0].partition(" API: ")
    assert entry.text.startswith(summary)
    assert re.findall(r"`(\w+)`", entry.field("Attributes")) == documented_attributes(kind)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_all_attributes_are_documented(error: PackageXError) -> None:
    """Every attribute is documented by the class or a parent, and exists."""
    parents = [kind for kind in type(error).__mro__ if issubclass(kind, PackageXError)]
    documented = {name for kind in parents for name in documented_attributes(kind)}
    assert set(vars(error)) <= documented
    assert [name for name in documented if not hasattr(error, name)] == []


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_exit_code_of_command_line(error: PackageXError) -> None:
    """Errors of downloads have two exit codes, depending on whether other artifacts arrived.

    After a semicolon, the entry has the code of a bucket that cannot be used, and of a `sync` that stops.
    """
    entry = NAMED[type(error).__name__]
    expected = str(exit_code(error).value)
    # `download` lists an artifact that is not offered in `missing`. Only `cat` ends with the error.
    is_download = isinstance(error, (DownloadError, DownloadGroupError, ExportNotReadyError))
    if is_download and not isinstance(error, (ArtifactNotOfferedError, WaitTimeoutError)):
        some, none = (
            exit_code_of_downloads([exit_code(error)], any_succeeded=any_) for any_ in (True, False)
        )
        expected = f"{some.value} or {none.value}"
    code, _, other = entry.field("Exit code").strip().partition("; ")
    assert code == expected
    if isinstance(error, (DestinationError, DirectoryError)):
        unusable = copy.copy(error)
        unusable.filename, unusable.errno = "s3://bucket", errno.EACCES
        assert other.startswith(f"{exit_code(unusable).value} if the bucket cannot be used")
    else:
        assert other == ""
    assert entry.field("Action")


@pytest.mark.parametrize("kind", BASES, ids=lambda kind: kind.__name__)
def test_base_class_has_no_exit_code(kind: type[PackageXError]) -> None:
    """Base classes are never raised."""
    entry = NAMED[kind.__name__]
    assert [entry.field(field) for field in ("Exit code", "Action", "Retried")] == [""] * 3


ATTEMPTS = {"yes": 3, "once": 2, "no": 1}
"""The number of requests with a policy of three attempts."""

FAULTS: dict[str, Fault] = {
    "ApiError": Status(409, on="api"),
    "BadRequestError": Status(422, on="api"),
    "AuthenticationError": Status(401, on="api"),
    "PermissionDeniedError": Status(403, on="api"),
    "NotFoundError": Status(404, on="api"),
    "RateLimitError": Status(429, on="api"),
    "ServerError": Status(503, on="api"),
    "ConnectionFailedError": Refuse(on="api"),
    "RequestTimeoutError": Stall(0, on="api"),
    "DecodeError": Garbage(),
    "LinkExpiredError": Expired(),
    "StorageError": Status(503, on="storage"),
    "StorageUnreachableError": Refuse(),
    "IncompleteBodyError": Cut(0),
    "ChecksumError": WrongHash(),
    "StalledError": Stall(0),
}


async def raised_error(call: Callable[[AsyncExports], Awaitable[Any]], server: Emulator) -> PackageXError:
    """Return the error of `call`, or the only error of its group."""
    policy = RetryPolicy(attempts=3, wait_initial=0)
    async with server.client(retry=policy, **LIMITED) as px:
        with pytest.raises(PackageXError) as caught:
            await call(px.exports)
    if not isinstance(caught.value, DownloadGroupError):
        return caught.value
    (failure,) = caught.value.report.failures
    return failure


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("name", FAULTS)
async def test_documented_retries(name: str, server: Emulator, tmp_path: Path) -> None:
    """The number of requests equals the documented one."""
    stored, fault = server.add_export(rows=3), FAULTS[name]
    server.inject(fault, times=None)
    error = await raised_error(
        lambda exports: exports.download(stored.id, tmp_path, artifacts=["csv"]), server
    )
    assert type(error).__name__ == name
    (word,) = re.findall(r"^\w+", NAMED[name].field("Retried"))
    matching = [request for request in server.requests if fault.matches(request)]
    assert len(matching) == ATTEMPTS[word]


async def test_unconfirmed_creation_is_not_retried(server: Emulator) -> None:
    """The entry states the same."""
    server.inject(Status(503, on="api"), times=None)
    error = await raised_error(lambda exports: exports.create("contact"), server)
    assert NAMED[type(error).__name__].field("Retried").startswith("no")
    assert (type(error).__name__, len(server.requests)) == ("UnconfirmedError", 1)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("queued", "ExportNotReadyError"),
        ("failed", "ExportFailedError"),
        ("timed_out", "ExportTimedOutError"),
    ],
)
async def test_state_errors_are_not_retried(status: str, name: str, server: Emulator, tmp_path: Path) -> None:
    """`download` requests the export once."""
    stored = server.add_export(status=status)
    error = await raised_error(lambda exports: exports.download(stored.id, tmp_path), server)
    assert NAMED[name].field("Retried").startswith("no")
    assert (type(error).__name__, len(server.requests)) == (name, 1)
