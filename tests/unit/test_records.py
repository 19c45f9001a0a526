"""Every public class: pickled and copied whole, without a secret; shown short."""

from __future__ import annotations

import copy
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
    AsyncExports,
    AsyncPackageX,
    CheckedFile,
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
    ProgressEvent,
    ProgressKind,
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
        CheckedFile(path="a.csv", state=FileState.EXACT),
        f"CheckedFile(path='a.csv', state={FileState.EXACT!r})",
    ),
    (CsvFieldOptions(columns=["id"]), "CsvFieldOptions(columns=('id',))"),
    (RetryPolicy(), "RetryPolicy(attempts=5, wait_initial=0.5, wait_max=20.0, retry_after_max=120.0)"),
]
ENUMS = (Artifact, Direction, ExportResource, ExportStatus, FileState, OrderBy, ProgressKind)
AT_WORK = {AsyncPackageX, AsyncExports}

EMULATED: list[object] = [
    testing.Cut(7), testing.Delete("exp_1"), testing.Dialect(), testing.Encoded(), testing.Expired(),
    testing.Fault(), testing.Garbage(), testing.IgnoreRange(), testing.Insert(), testing.Life(),
    testing.LyingLength(3), testing.NoHash(), testing.NoTag(), testing.Redirect(), testing.Refuse(),
    testing.Replace(b"other"), testing.Reset(7), testing.Stall(7), testing.Status(503, on="api"),
    testing.TargetedFault(), testing.Transcoded(), testing.Trickle(7, 0.5), testing.Undeclared(),
    testing.WrongHash(), testing.WrongRange(5), Emulator().exports[0],
    testing.RecordedRequest(host="api", method="GET", target="/", headers=CIMultiDict({"A": "b"}), at=0.5),
]  # fmt: skip


def pickled(protocol: int, value: object) -> object:
    return pickle.loads(pickle.dumps(value, protocol))


PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
AGAIN: dict[str, Callable[[Any], object]] = {
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in PROTOCOLS},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def classes_of(module: object, names: list[str]) -> set[type]:
    """The classes among the public names of a module."""
    return {value for name in names if inspect.isclass(value := getattr(module, name))}


def looks(value: object) -> str:
    """What a value shows, with everything that an error knows."""
    return f"{value!r} {sorted(vars(value).items()) if isinstance(value, PackageXError) else ''}"


def test_no_public_class_is_forgotten_here() -> None:
    """A new one needs an example, or a reason."""
    errors = {type(error) for error in EXAMPLES} | {PackageXError}
    records = {type(record) for record, _ in RECORDS}
    assert classes_of(packagex_async, packagex_async.__all__) == {*records, *errors, *ENUMS, *AT_WORK}
    emulated = {type(thing) for thing in EMULATED} | {Emulator}
    assert classes_of(testing, testing.__all__) == emulated


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize(
    "value",
    [
        *(record for record, _ in RECORDS),
        *EXAMPLES,
        *EMULATED,
        *chain.from_iterable(ENUMS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_travels_whole(value: object, again: Callable[[object], object]) -> None:
    """Between processes and into copies: the same kind, the same content; members stay themselves."""
    other = again(value)
    assert type(other) is type(value)
    assert other == value or looks(other) == looks(value)
    if isinstance(value, enum.Enum):
        assert other is value


@pytest.mark.parametrize(("record", "shown"), RECORDS, ids=lambda value: type(value).__name__)
def test_a_repr_is_short_and_tells_what_is_known(record: object, shown: str) -> None:
    """What has its default is left out."""
    assert repr(record) == shown


@pytest.mark.parametrize(
    "record", [record for record, _ in RECORDS], ids=lambda record: type(record).__name__
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_trap_09_no_record_shows_or_pickles_a_signature(record: object, protocol: int) -> None:
    """Neither the one that holds a link, nor one that holds that."""
    assert b"CANARY" not in pickle.dumps(record, protocol)
    assert "CANARY" not in f"{record!r} {record}"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (CHECKSUM, "ChecksumError('export exp_1, artifact csv: no match')"),
        (ServerError("oops", status=500), "ServerError('request: 500: oops')"),
        (GONE, "ExportGoneError('gone')"),
    ],
)
def test_an_error_shows_what_it_says(error: PackageXError, shown: str) -> None:
    """In a list of failures, or a log of progress."""
    assert repr(error) == shown


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_a_cause_of_ours_travels_along_and_no_other(again: Callable[[Any], Any]) -> None:
    """What an error does not say itself stands in its cause; another's may hold secrets."""
    ours, others = UnconfirmedError("not known"), ConnectionFailedError("broke")
    ours.__cause__, others.__cause__ = GONE, OSError("https://storage.example/?sig=CANARY")
    ours.add_note("while testing")
    assert repr(again(ours).__cause__) == repr(GONE)
    assert again(ours).__notes__ == ["while testing"]
    assert again(others).__cause__ is None


@pytest.mark.parametrize("at_work", [lambda px: px, lambda px: px.exports], ids=["client", "exports"])
@pytest.mark.parametrize("again", [partial(pickled, 5), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_who_is_at_work_neither_travels_nor_is_copied(
    at_work: Callable[[AsyncPackageX], object], again: Callable[[object], object]
) -> None:
    """A key stays where it is; another process makes a client of its own."""
    px = AsyncPackageX("px_CANARY")
    with pytest.raises(TypeError) as caught:
        again(at_work(px))
    assert "CANARY" not in str(caught.value)
    assert repr(px.exports) == "AsyncExports(base_url='https://api.packagex.io')"
