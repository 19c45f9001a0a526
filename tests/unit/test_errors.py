"""All errors have one base class and helpful messages, and can be pickled."""

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
    ArtifactNotOfferedError,
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
    MalformedRowError,
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

CHECKSUM = ChecksumError("no match", export_id="exp_1", artifact=Artifact.CSV)
GROUP = DownloadGroupError.of(DownloadReport(export_id="exp_1", failures=ByArtifact([CHECKSUM])))

EXAMPLES: list[PackageXError] = [
    ConfigurationError("no key"),
    ClientClosedError("closed"),
    ApiError("moved", status=302),
    BadRequestError("bad", status=400, code="bad_request", errors=["limit"], endpoint="/v1/exports"),
    AuthenticationError("unknown", status=401),
    PermissionDeniedError("no", status=403),
    NotFoundError("none", status=404),
    RateLimitError("slow down", status=429, retry_after=3.0),
    ServerError("oops", status=500),
    ConnectionFailedError("gone"),
    RequestTimeoutError("late"),
    UnconfirmedError.after(RequestTimeoutError("late")),
    DecodeError("not JSON"),
    PaginationError("repeated"),
    DirectoryError("denied", filename="x", errno=errno.EACCES),
    *(
        error_type("state", export_id="exp_1")
        for error_type in (
            ExportStateError,
            ExportNotReadyError,
            ExportFailedError,
            ExportTimedOutError,
            ExportGoneError,
        )
    ),
    WaitTimeoutError("state", export_id="exp_1", status="queued"),
    *(
        error_type("failed", export_id="exp_1", artifact=Artifact.CSV)
        for error_type in (DownloadError, LinkExpiredError, IncompleteBodyError, ChecksumError, StalledError)
    ),
    StorageError("503", export_id="exp_1", artifact=Artifact.CSV, status=503, retry_after=2.0),
    StorageUnreachableError("refused", export_id="exp_1", artifact=Artifact.CSV),
    ArtifactNotOfferedError("not offered", export_id="exp_1", artifact=Artifact.CSV),
    DestinationError(
        "full", export_id="exp_1", artifact=Artifact.CSV, filename="x/y.csv", errno=errno.ENOSPC
    ),
    MalformedRowError("row 7", export_id="exp_1", artifact=Artifact.CSV, row=7, column="weight"),
    GROUP,
]


@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_are_pickled_and_copied_completely(
    error: PackageXError, duplicate: Callable[[PackageXError], PackageXError]
) -> None:
    """The type, the message and all attributes are kept."""
    other = duplicate(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert repr(vars(other)) == repr(vars(error))
    assert getattr(other, "errno", None) == getattr(error, "errno", None)
    assert getattr(other, "filename", None) == getattr(error, "filename", None)


def test_all_errors_have_one_base_class() -> None:
    """`except PackageXError` catches all of them, and each has an example in this module."""
    error_types = {
        error_type
        for _, error_type in inspect.getmembers(errors, inspect.isclass)
        if error_type.__module__ == errors.__name__
    } | {DownloadGroupError}
    assert error_types - {PackageXError} == {type(error) for error in EXAMPLES}
    assert all(issubclass(error_type, PackageXError) for error_type in error_types)


def test_the_docstring_names_every_error() -> None:
    """The tree is complete."""
    for error in EXAMPLES:
        assert type(error).__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("error_type", "parents"),
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
def test_errors_have_the_base_classes_of_the_tree(
    error_type: type[PackageXError], parents: tuple[type, ...]
) -> None:
    """Some are builtin exceptions as well."""
    assert issubclass(error_type, parents[0])
    assert all(issubclass(error_type, parent) for parent in parents)


def test_an_api_error_names_the_endpoint_and_the_remedy() -> None:
    """Its text contains the endpoint, the status, the code and a hint."""
    error = AuthenticationError("Unknown key", status=401, code="unauthorized", endpoint="/v1/exports")
    assert str(error).startswith("/v1/exports: 401 (unauthorized): Unknown key (check the key")
    assert error.message == "Unknown key"
    assert str(ServerError("oops", status=500)) == "request: 500: oops"


def test_a_download_error_names_the_export_and_the_artifact() -> None:
    """The message of the error follows."""
    assert str(CHECKSUM) == "export exp_1, artifact csv: no match"


def test_a_group_keeps_its_report_if_it_is_split() -> None:
    """`except*` passes on the report."""
    with pytest.raises(ExceptionGroup) as caught:
        try:
            raise GROUP
        except* LinkExpiredError:
            pytest.fail("the group has no such error")
    rest = caught.value
    assert isinstance(rest, DownloadGroupError)
    assert rest.report is GROUP.report
    match, others = GROUP.split(ChecksumError)
    assert isinstance(match, DownloadGroupError)
    assert match.report is GROUP.report
    assert others is None
    assert GROUP.message == "export exp_1: 1 artifact failed"
