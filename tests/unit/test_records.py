"""All public classes have a short repr, and can be pickled and copied without secrets."""

from __future__ import annotations

import copy
import copyreg
import enum
import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

import packagex_async
from packagex_async import (
    Artifact,
    ArtifactStream,
    AsyncExports,
    AsyncPackageX,
    Bucket,
    BucketFile,
    CheckedFile,
    CheckedObject,
    ConnectionFailedError,
    CsvFieldOptions,
    Direction,
    DownloadedFile,
    DownloadReport,
    Export,
    ExportGoneError,
    ExportResource,
    ExportStatus,
    FileState,
    OrderBy,
    PackageXError,
    Page,
    Pagination,
    PlannedFile,
    Poll,
    ProgressEvent,
    ProgressKind,
    PrunedFile,
    RetryPolicy,
    ServerError,
    UnconfirmedError,
    testing,
)
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator
from tests.unit.test_errors import CHECKSUM, EXAMPLES

URL = "https://storage.example/exp_1.csv?sig=CANARY"
EXPORT = Export(
    id="exp_1",
    status=ExportStatus("paused"),
    created_at=datetime(2024, 5, 1, tzinfo=UTC),
    csv_url=URL,
    extra={"rows": [1, {"link": URL}]},
)
FILE = DownloadedFile(artifact=Artifact.CSV, path=Path("exp_1.csv"), size=7, verified="length", elapsed=0.5)
GONE = ExportGoneError("gone", export_id="exp_1")

RECORDS: list[tuple[object, str]] = [
    (
        EXPORT,
        "Export(id='exp_1', status=<ExportStatus.PAUSED: 'paused'>, "
        f"created_at={EXPORT.created_at!r}, extra=<rows>)",
    ),
    (Pagination(has_more=True, page=2), "Pagination(has_more=True, page=2)"),
    (
        Page(data=(EXPORT,), pagination=Pagination(has_more=False)),
        "Page(data=<1 export>, pagination=Pagination(has_more=False))",
    ),
    (
        Page(data=(EXPORT, EXPORT), pagination=Pagination(has_more=False)),
        "Page(data=<2 exports>, pagination=Pagination(has_more=False))",
    ),
    (
        FILE,
        f"DownloadedFile(artifact={Artifact.CSV!r}, path={FILE.path!r}, size=7, verified='length', "
        "elapsed=0.5)",
    ),
    (
        DownloadReport(
            export_id="exp_1", files=ByArtifact([FILE]), failures=ByArtifact([CHECKSUM]), error=GONE
        ),
        f"DownloadReport(export_id='exp_1', files=({FILE!r},), failures=({CHECKSUM!r},), error={GONE!r})",
    ),
    (
        ProgressEvent(kind=ProgressKind.FAILED, export_id="exp_1", artifact=Artifact.CSV, error=CHECKSUM),
        f"ProgressEvent(kind={ProgressKind.FAILED!r}, export_id='exp_1', artifact={Artifact.CSV!r}, "
        f"error={CHECKSUM!r})",
    ),
    (
        PlannedFile(artifact=Artifact.CSV, path=FILE.path, reason="new"),
        f"PlannedFile(artifact={Artifact.CSV!r}, path={FILE.path!r}, reason='new')",
    ),
    (
        PrunedFile(export_id="exp_1", artifact="csv", path=FILE.path, size=7, outcome="removed"),
        f"PrunedFile(export_id='exp_1', artifact='csv', path={FILE.path!r}, size=7, outcome='removed')",
    ),
    (
        Poll(found=2, retried=0, pending=1),
        "Poll(found=2, retried=0, pending=1)",
    ),
    (
        CheckedFile(path="a.csv", state=FileState.EXACT),
        f"CheckedFile(path='a.csv', state={FileState.EXACT!r})",
    ),
    (
        BucketFile(artifact=Artifact.CSV, key="a.csv", url="s3://b/a.csv", size=7, verified="length"),
        f"BucketFile(artifact={Artifact.CSV!r}, key='a.csv', url='s3://b/a.csv', size=7, verified='length')",
    ),
    (
        CheckedObject(key="a.csv", state=FileState.EXACT),
        f"CheckedObject(key='a.csv', state={FileState.EXACT!r})",
    ),
    (CsvFieldOptions(columns=["id"]), "CsvFieldOptions(columns=('id',))"),
    (RetryPolicy(), "RetryPolicy(attempts=5, wait_initial=0.5, wait_max=20.0, retry_after_max=120.0)"),
]
ENUMS = (Artifact, Direction, ExportResource, ExportStatus, FileState, OrderBy, ProgressKind)
STATEFUL = {AsyncPackageX, AsyncExports, ArtifactStream, Bucket}

TESTING: list[object] = [
    testing.Cut(7), testing.Delete("exp_1"), testing.Dialect(), testing.Encoded(), testing.Expired(),
    testing.Fault(), testing.FileFormat(), testing.Garbage(), testing.IgnoreRange(), testing.Insert(),
    testing.Life(),
    testing.LyingLength(3), testing.NoHash(), testing.NoTag(), testing.Redirect(), testing.Refuse(),
    testing.Replace(b"other"), testing.Reset(7), testing.Stall(7), testing.Status(503, on="api"),
    testing.TargetedFault(), testing.Transcoded(), testing.Trickle(7, 0.5), testing.Undeclared(),
    testing.WrongHash(), testing.WrongRange(5), Emulator().exports[0],
    testing.RecordedRequest(host="api", method="GET", target="/", headers=CIMultiDict({"A": "b"}), at=0.5),
]  # fmt: skip


def pickled(protocol: int, value: object) -> object:
    return pickle.loads(pickle.dumps(value, protocol))


PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
DUPLICATES: dict[str, Callable[[Any], object]] = {
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in PROTOCOLS},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def classes_of(module: object, names: list[str]) -> set[type]:
    """Return the classes among the public names of a module."""
    return {value for name in names if inspect.isclass(value := getattr(module, name))}


def details(value: object) -> str:
    """Return the repr of a value, with all attributes of an error."""
    return f"{value!r} {sorted(vars(value).items()) if isinstance(value, PackageXError) else ''}"


def test_this_module_has_an_example_of_every_public_class() -> None:
    """Except for classes that cannot be pickled."""
    errors = {type(error) for error in EXAMPLES} | {PackageXError}
    records = {type(record) for record, _ in RECORDS}
    assert classes_of(packagex_async, packagex_async.__all__) == {*records, *errors, *ENUMS, *STATEFUL}
    emulated = {type(example) for example in TESTING} | {Emulator}
    assert classes_of(testing, testing.__all__) == emulated


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
@pytest.mark.parametrize(
    "value",
    [
        *(record for record, _ in RECORDS),
        *EXAMPLES,
        *TESTING,
        *chain.from_iterable(ENUMS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_are_pickled_and_copied_completely(
    value: object, duplicate: Callable[[object], object]
) -> None:
    """The type and the content are kept. Members of enums are identical."""
    other = duplicate(value)
    assert type(other) is type(value)
    assert other == value or details(other) == details(value)
    if isinstance(value, enum.Enum):
        assert other is value


@pytest.mark.parametrize(("record", "expected"), RECORDS, ids=lambda value: type(value).__name__)
def test_a_repr_leaves_out_defaults(record: object, expected: str) -> None:
    """And secrets."""
    assert repr(record) == expected


@pytest.mark.parametrize(
    "record", [record for record, _ in RECORDS], ids=lambda record: type(record).__name__
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_trap_09_no_repr_or_pickle_contains_a_signature(record: object, protocol: int) -> None:
    """Also of records that contain other records."""
    assert b"CANARY" not in pickle.dumps(record, protocol)
    assert "CANARY" not in f"{record!r} {record}"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CHECKSUM, "ChecksumError('export exp_1, artifact csv: no match')"),
        (ServerError("oops", status=500), "ServerError('request: 500: oops')"),
        (GONE, "ExportGoneError('gone')"),
    ],
)
def test_the_repr_of_an_error_contains_its_message(error: PackageXError, expected: str) -> None:
    """For lists of failures and progress events."""
    assert repr(error) == expected


@pytest.fixture
def without_other_reducers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the functions that distributed registers to pickle all errors, if another test imports it."""
    for kind in copyreg.dispatch_table.copy():
        if issubclass(kind, PackageXError):
            monkeypatch.delitem(copyreg.dispatch_table, kind)


@pytest.mark.usefixtures("without_other_reducers")
@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_only_a_cause_of_this_package_is_kept(duplicate: Callable[[Any], Any]) -> None:
    """Some messages depend on the cause. Other causes may contain secrets."""
    own, other = UnconfirmedError("not known"), ConnectionFailedError("broke")
    own.__cause__, other.__cause__ = GONE, OSError("https://storage.example/?sig=CANARY")
    own.add_note("while testing")
    assert repr(duplicate(own).__cause__) == repr(GONE)
    assert duplicate(own).__notes__ == ["while testing"]
    assert duplicate(other).__cause__ is None


@pytest.mark.parametrize("select", [lambda px: px, lambda px: px.exports], ids=["client", "exports"])
@pytest.mark.parametrize("duplicate", [partial(pickled, 5), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_client_cannot_be_pickled_or_copied(
    select: Callable[[AsyncPackageX], object], duplicate: Callable[[object], object]
) -> None:
    """It contains the API key. Another process must create its own client."""
    px = AsyncPackageX("px_CANARY")
    with pytest.raises(TypeError) as caught:
        duplicate(select(px))
    assert "CANARY" not in str(caught.value)
    assert repr(px.exports) == "AsyncExports(base_url='https://api.packagex.io')"
