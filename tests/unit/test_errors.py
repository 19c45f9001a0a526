"""The tree of errors: one root, messages that help, pickles that survive."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle
from collections.abc import Callable

import pytest

from packagex_async import (
    ApiError,
    Artifact,
    AuthenticationError,
    BadRequestError,
    ChecksumError,
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    DestinationError,
    DirectoryError,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportStateError,
    ExportTimedOutError,
    IncompleteBodyError,
    LinkExpiredError,
    NotFoundError,
    PackageXError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StalledError,
    StorageError,
    StorageUnreachableError,
    UnconfirmedError,
    WaitTimeoutError,
    errors,
)
from packagex_async.report import ByArtifact

WHERE = {"export_id": "exp_1", "artifact": Artifact.CSV}
CHECKSUM = ChecksumError("no match", export_id="exp_1", artifact=Artifact.CSV)
GROUP = DownloadGroupError.of(DownloadReport(export_id="exp_1", failures=ByArtifact([CHECKSUM])))

EXAMPLES: list[PackageXError] = [
    ConfigurationError("no key"),
    ClientClosedError("closed"),
    ApiError("moved", status=302),
    BadRequestError("bad", status=400, code="bad_request", errors=["limit"], endpoint="/v1/exports"),
    AuthenticationError("who?", status=401),
    PermissionDeniedError("no", status=403),
    NotFoundError("none", status=404),
    RateLimitError("slow down", status=429, retry_after=3.0),
    ServerError("oops", status=500),
    ConnectionFailedError("gone"),
    RequestTimeoutError("late"),
    UnconfirmedError.after(RequestTimeoutError("late")),
    DecodeError("not JSON"),
    PaginationError("again"),
    DirectoryError("denied", filename="x", errno=errno.EACCES),
    *(
        kind("state", export_id="exp_1")
        for kind in (
            ExportStateError,
            ExportNotReadyError,
            ExportFailedError,
            ExportTimedOutError,
            ExportGoneError,
        )
    ),
    WaitTimeoutError("state", export_id="exp_1", status="queued"),
    *(
        kind("failed", export_id="exp_1", artifact=Artifact.CSV)
        for kind in (DownloadError, LinkExpiredError, IncompleteBodyError, ChecksumError, StalledError)
    ),
    StorageError("503", export_id="exp_1", artifact=Artifact.CSV, status=503, retry_after=2.0),
    StorageUnreachableError("refused", export_id="exp_1", artifact=Artifact.CSV),
    DestinationError(
        "full", export_id="exp_1", artifact=Artifact.CSV, filename="x/y.csv", errno=errno.ENOSPC
    ),
    GROUP,
]


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_travel_whole(error: PackageXError, again: Callable[[PackageXError], PackageXError]) -> None:
    """A pickle or copy of an error says and knows what the error did."""
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert repr(vars(other)) == repr(vars(error))
    assert getattr(other, "errno", None) == getattr(error, "errno", None)
    assert getattr(other, "filename", None) == getattr(error, "filename", None)


def test_every_error_has_one_root_and_an_example_here() -> None:
    """No error of this package escapes `except PackageXError`."""
    kinds = {
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    } | {DownloadGroupError}
    assert kinds - {PackageXError} == {type(error) for error in EXAMPLES}
    assert all(issubclass(kind, PackageXError) for kind in kinds)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    """The drawing is complete."""
    for error in EXAMPLES:
        assert type(error).__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (ConfigurationError, (ValueError,)),
        (ClientClosedError, (ConfigurationError,)),
        (RequestTimeoutError, (ConnectionFailedError, TimeoutError)),
        (DestinationError, (DownloadError, OSError)),
        (DirectoryError, (PackageXError, OSError)),
        (StorageUnreachableError, (StorageError, ConnectionFailedError)),
        (DownloadGroupError, (ExceptionGroup,)),
        (ExportGoneError, (ExportStateError,)),
        (RateLimitError, (ApiError,)),
    ],
)
def test_errors_are_what_the_tree_says(kind: type[PackageXError], parents: tuple[type, ...]) -> None:
    """Callers who know only the builtins catch them, too."""
    assert issubclass(kind, parents[0])
    assert all(issubclass(kind, parent) for parent in parents)


def test_an_api_error_says_where_what_and_what_to_do() -> None:
    """The text has the endpoint, the status, the code and a hint."""
    error = AuthenticationError("Unknown key", status=401, code="unauthorized", endpoint="/v1/exports")
    assert str(error).startswith("/v1/exports: 401 (unauthorized): Unknown key (check the key")
    assert error.message == "Unknown key"
    assert str(ServerError("oops", status=500)) == "request: 500: oops"


def test_a_download_error_names_export_and_artifact() -> None:
    """Which export, which artifact, what happened."""
    assert str(CHECKSUM) == "export exp_1, artifact csv: no match"


def test_a_group_keeps_its_report_when_it_is_split() -> None:
    """`except*` hands on the report."""
    with pytest.raises(ExceptionGroup) as caught:
        try:
            raise GROUP
        except* LinkExpiredError:
            pytest.fail("there is none")
    rest = caught.value
    assert isinstance(rest, DownloadGroupError)
    assert rest.report is GROUP.report
    match, others = GROUP.split(ChecksumError)
    assert isinstance(match, DownloadGroupError)
    assert match.report is GROUP.report
    assert others is None
    assert GROUP.message == "export exp_1: 1 artifact failed"
