"""The catalogue of errors tells of every one of them, and what it tells is so."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncExports,
    DownloadError,
    DownloadGroupError,
    ExportNotReadyError,
    ExportStateError,
    PackageXError,
    RetryPolicy,
    errors,
)
from packagex_async.cli.exit_codes import exit_code, exit_code_of_downloads
from packagex_async.testing import Cut, Emulator, Expired, Fault, Garbage, Refuse, Stall, Status, WrongHash
from tests.unit.test_errors import EXAMPLES

PAGE = (Path(__file__).parents[2] / "docs/reference/errors.md").read_text(encoding="utf-8")

BASES = (PackageXError, ExportStateError, DownloadError)
"""What is never raised as such."""


@attrs.frozen
class Entry:
    """One section of the page."""

    level: int
    name: str
    text: str

    def told(self, field: str) -> str:
        """What stands behind a field's name; nothing where it is left out."""
        found = re.search(rf"^- \*\*{field}:\*\* ((?:.+\n)(?:  .+\n)*)", self.text, re.MULTILINE)
        return found[1] if found else ""


ENTRIES = [
    Entry(len(marks), name, text)
    for marks, name, text in re.findall(r"^(##+) (\w+)\n\n((?:(?!#).*\n)*)", PAGE, re.MULTILINE)
]
NAMED = {entry.name: entry for entry in ENTRIES}
RAISED = [error for error in EXAMPLES if type(error) not in BASES]


def kinds() -> list[type[PackageXError]]:
    """Every class of errors, in the order they are written in."""
    named = [*vars(errors).values(), DownloadGroupError]
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, PackageXError)]


def depth(kind: type[PackageXError]) -> int:
    """How deep in the tree it stands; the root's children stand as high as the root."""
    parent = kind.__bases__[0]
    return 0 if parent in (Exception, PackageXError) else 1 + depth(parent)


def documented(kind: type[PackageXError]) -> list[str]:
    """The attributes that its docstring adds to those of its parents."""
    _, _, attributes = (inspect.cleandoc(kind.__doc__ or "")).partition("Attributes:\n")
    return re.findall(r"^    (\w+):", attributes, re.MULTILINE)


def test_every_error_is_there_once_in_the_order_of_the_tree() -> None:
    """At the depth it has there."""
    assert [(entry.name, entry.level) for entry in ENTRIES] == [
        (kind.__name__, 2 + depth(kind)) for kind in kinds()
    ]


def test_the_tree_is_the_one_of_the_code() -> None:
    """Line by line."""
    (tree,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert inspect.cleandoc("\n" + tree) in inspect.cleandoc((errors.__doc__ or "").replace("\n    ", "\n"))


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_entry_says_what_the_code_says(kind: type[PackageXError]) -> None:
    """It begins with the docstring's first words, and names the very attributes that the class adds."""
    entry = NAMED[kind.__name__]
    # Where the API says so is told in the docstring alone.
    said, _, _ = (kind.__doc__ or "").partition("\n")[0].partition(" API: ")
    assert entry.text.startswith(said)
    assert re.findall(r"`(\w+)`", entry.told("Attributes")) == documented(kind)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_no_attribute_is_kept_quiet(error: PackageXError) -> None:
    """Everything an error carries is in its entry or in that of a parent, and is really there."""
    parents = [kind for kind in type(error).__mro__ if issubclass(kind, PackageXError)]
    told = {name for kind in parents for name in documented(kind)}
    assert set(vars(error)) <= told
    assert [name for name in told if not hasattr(error, name)] == []


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_the_exit_code_is_the_one_of_the_command_line(error: PackageXError) -> None:
    """What only ever fails a download makes the code of downloads, with some of them well or none."""
    entry = NAMED[type(error).__name__]
    expected = str(exit_code(error).value)
    if type(error) is ExportNotReadyError or isinstance(error, (DownloadError, DownloadGroupError)):
        some, none = (
            exit_code_of_downloads([exit_code(error)], any_succeeded=any_) for any_ in (True, False)
        )
        expected = f"{some.value} or {none.value}"
    assert entry.told("Exit code").strip() == expected
    assert entry.told("What to do")


@pytest.mark.parametrize("kind", BASES, ids=lambda kind: kind.__name__)
def test_what_is_never_raised_has_no_exit_code(kind: type[PackageXError]) -> None:
    """Nor anything to be done about it."""
    entry = NAMED[kind.__name__]
    assert [entry.told(field) for field in ("Exit code", "What to do", "Retried")] == [""] * 3


ATTEMPTS = {"yes": 3, "once": 2, "no": 1}
"""How many requests there are, with a policy of three attempts."""

SCENES: dict[str, Fault] = {
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


async def met(call: Callable[[AsyncExports], Awaitable[Any]], server: Emulator) -> PackageXError:
    """What `call` fails with; of a group, its only error."""
    policy = RetryPolicy(attempts=3, wait_initial=0)
    async with server.client(retry=policy, timeout=0.1, stall_timeout=0.1) as px:
        with pytest.raises(PackageXError) as caught:
            await call(px.exports)
    if not isinstance(caught.value, DownloadGroupError):
        return caught.value
    (failure,) = caught.value.report.failures
    return failure


@pytest.mark.parametrize("name", SCENES)
async def test_what_is_said_to_be_tried_again_is(name: str, server: Emulator, tmp_path: Path) -> None:
    """As often as the page says, counted where the requests arrive."""
    stored, fault = server.add_export(rows=3), SCENES[name]
    server.inject(fault, times=None)
    error = await met(lambda exports: exports.download(stored.id, tmp_path, artifacts=["csv"]), server)
    assert type(error).__name__ == name
    (word,) = re.findall(r"^\w+", NAMED[name].told("Retried"))
    struck = [request for request in server.requests if fault.strikes(request)]
    assert len(struck) == ATTEMPTS[word]


async def test_what_may_have_created_an_export_is_not_sent_again(server: Emulator) -> None:
    """As its entry says."""
    server.inject(Status(503, on="api"), times=None)
    error = await met(lambda exports: exports.create("contact"), server)
    assert NAMED[type(error).__name__].told("Retried").startswith("no")
    assert (type(error).__name__, len(server.requests)) == ("UnconfirmedError", 1)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("queued", "ExportNotReadyError"),
        ("failed", "ExportFailedError"),
        ("timed_out", "ExportTimedOutError"),
    ],
)
async def test_a_state_is_not_asked_about_again(
    status: str, name: str, server: Emulator, tmp_path: Path
) -> None:
    """`download` takes it as it is."""
    stored = server.add_export(status=status)
    error = await met(lambda exports: exports.download(stored.id, tmp_path), server)
    assert NAMED[name].told("Retried").startswith("no")
    assert (type(error).__name__, len(server.requests)) == (name, 1)
