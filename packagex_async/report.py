"""The results of downloads: progress events, downloaded files, and reports with files and failures."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, SupportsIndex, TypeVar, overload

import attrs

from packagex_async._utils.redaction import escape, redact, sanitize
from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import MESSAGE_LIMIT, DownloadError, ExportGoneError, PackageXError
from packagex_async.models import Artifact, ArtifactName, Export

Verified = Literal["checksum", "length", "none"]
PlanReason = Literal["new", "changed", "lost"]


class ProgressKind(enum.StrEnum):
    """The kind of a progress event."""

    STARTED = "started"
    ADVANCED = "advanced"
    RETRYING = "retrying"
    KEPT = "kept"
    FINISHED = "finished"
    FAILED = "failed"


@attrs.frozen(kw_only=True, repr=False)
class ProgressEvent:
    """A step of the download of an artifact.

    Attributes:
        kind: `started` when the head of the response has arrived, then `advanced` and `retrying`. The last
            event is `kept`, `finished` or `failed`.
        export_id: The id of the export.
        artifact: The artifact.
        received: The number of bytes received so far. It falls if an attempt starts again from zero.
        total: The length of the artifact in bytes, or `None` while it is unknown.
        attempt: The number of the attempt, from 1.
        delay: The seconds until the next attempt (`retrying` only).
        error: The error of the attempt (`retrying` and `failed` only).
    """

    kind: ProgressKind
    export_id: str = attrs.field(converter=redact)
    artifact: Artifact
    received: int = 0
    total: int | None = None
    attempt: int = 1
    delay: float | None = None
    error: DownloadError | ExportGoneError | None = None

    __repr__ = concise_repr


OnProgress = Callable[[ProgressEvent], None]


@attrs.frozen(kw_only=True, repr=False)
class DownloadedFile:
    """An artifact that is complete on disk.

    Attributes:
        artifact: The artifact.
        path: The path of the file.
        size: The length in bytes.
        verified: How the content was verified: by a hash that the storage host declared (`checksum`), by the
            declared length (`length`), or not at all because neither was declared (`none`).
        sha256: The SHA-256 in hexadecimal, if `digest="sha256"` was requested; always for Parquet and
            from `download_all`.
        attempts: The number of attempts; 0 if the file was kept without a request.
        resumed: Whether an interrupted transfer was continued.
        elapsed: The seconds from the first request until the file was complete.
        kept: Whether the file existed before, with the right length, and the right hash if one is declared.
        rows: The number of data rows of a Parquet file. With `count_rows=True`, also the number of data rows
            of a CSV file, or of records of a JSON file. It is `None` if the rows were not counted. If they
            cannot be counted because the file is malformed, a warning is logged.
        source_sha256: The SHA-256 in hexadecimal of the artifact from which a Parquet file was written.
    """

    artifact: Artifact
    path: Path
    size: int
    verified: Verified
    sha256: str | None = None
    attempts: int = 1
    resumed: bool = False
    elapsed: float = 0.0
    kept: bool = False
    rows: int | None = None
    source_sha256: str | None = None

    __repr__ = concise_repr


@attrs.frozen(kw_only=True, repr=False)
class BucketFile:
    """An artifact that is a complete object in a bucket.

    Attributes:
        artifact: The artifact.
        key: The complete key of the object in the bucket.
        url: The URL of the object, such as `s3://bucket/exports/exp_7xKyu1HY.csv`, without credentials.
        size: The length in bytes.
        verified: See `DownloadedFile`.
        sha256: The SHA-256 in hexadecimal.
        attempts: The number of attempts.
        resumed: Whether an interrupted transfer was continued.
        elapsed: The seconds from the first request until the object was complete.
        kept: Whether the object existed before, with the content of the artifact.
        rows: See `DownloadedFile`.
        source_sha256: See `DownloadedFile`.
    """

    artifact: Artifact
    key: str
    url: str
    size: int
    verified: Verified
    sha256: str | None = None
    attempts: int = 1
    resumed: bool = False
    elapsed: float = 0.0
    kept: bool = False
    rows: int | None = None
    source_sha256: str | None = None

    __repr__ = concise_repr


StoredFile = DownloadedFile | BucketFile

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    F_co = TypeVarWithDefault("F_co", bound=StoredFile, default=DownloadedFile, covariant=True)
else:
    F_co = TypeVar("F_co", covariant=True)

_ALL_RECORDS = (Artifact.JSON, Artifact.CSV)
"""The artifacts with all records of an export. The other artifacts contain only some of the rows."""


@attrs.frozen(kw_only=True, repr=False)
class PlannedFile:
    """A file or an object that a dry run would download.

    Attributes:
        artifact: The artifact.
        path: The path of the file. In a bucket, the complete key of the object.
        reason: `new` if there was no file yet, `changed` if the existing file would be replaced, `lost` if
            the manifest lists a file that does not exist.
        size: The number of bytes to receive; `None` if the storage host does not declare it.
        url: The URL of the object in a bucket, without credentials; `None` in a directory.
    """

    artifact: Artifact
    path: Path
    reason: PlanReason
    size: int | None = None
    url: str | None = None

    __repr__ = concise_repr


class _Outcome(Protocol):
    """A file or an error of an artifact."""

    @property
    def artifact(self) -> Artifact: ...


T_co = TypeVar("T_co", bound=_Outcome, covariant=True)
D = TypeVar("D")


class ByArtifact(tuple[T_co, ...]):
    """A tuple in the order of `Artifact`, with access by artifact as well: `report.files["csv"].path`.

    A missing index raises an `IndexError`, a missing artifact a `KeyError`. `"csv" in report.files` checks
    for an artifact.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, key: Artifact | ArtifactName | SupportsIndex, /) -> T_co: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[T_co, ...]: ...
    def __getitem__(self, key: Artifact | ArtifactName | SupportsIndex | slice, /) -> T_co | tuple[T_co, ...]:
        if not isinstance(key, str):
            return super().__getitem__(key)
        outcome = self.get(key)
        if outcome is None:
            raise KeyError(key)
        return outcome

    @overload
    def get(self, artifact: Artifact | ArtifactName, default: None = None) -> T_co | None: ...
    @overload
    def get(self, artifact: Artifact | ArtifactName, default: D) -> T_co | D: ...
    def get(self, artifact: Artifact | ArtifactName, default: D | None = None) -> T_co | D | None:
        """Return the outcome of `artifact`, or `default` if there is none."""
        return next((outcome for outcome in self if outcome.artifact == artifact), default)

    def __contains__(self, key: object, /) -> bool:
        return key in self.keys() if isinstance(key, str) else super().__contains__(key)

    def keys(self) -> tuple[Artifact, ...]:
        """The artifacts."""
        return tuple(outcome.artifact for outcome in self)

    def values(self) -> tuple[T_co, ...]:
        """The outcomes."""
        return tuple(self)

    def items(self) -> tuple[tuple[Artifact, T_co], ...]:
        """Pairs of artifacts and outcomes."""
        return tuple((outcome.artifact, outcome) for outcome in self)


@attrs.frozen(kw_only=True, repr=False)
class DownloadReport(Generic[F_co]):
    """The result of a download of an export.

    It is generic in the type of its files: `DownloadedFile` in a directory, `BucketFile` in a bucket.

    Attributes:
        export_id: The id of the export.
        export: The export, in the last state that the download has seen. Every report that a method returns
            has it, also if the export could not be downloaded; it is `None` only in a report that was created
            without it. It is not part of the repr, and is ignored when reports are compared.
        files: The artifacts that are complete in the directory or bucket, also by artifact:
            `report.files["csv"]`.
        missing: The requested artifacts that the export does not offer, which is not a failure.
        failures: The errors of the other artifacts (also by artifact).
        error: The error of the export as a whole, for example if it was deleted or not completed.
        planned: The files that would be downloaded (also by artifact); empty unless it is a dry run.
    """

    export_id: str = attrs.field(converter=redact)
    export: Export | None = attrs.field(default=None, repr=False, eq=False)
    files: ByArtifact[F_co] = ByArtifact()
    missing: tuple[Artifact, ...] = ()
    failures: ByArtifact[DownloadError] = ByArtifact()
    error: PackageXError | None = None
    planned: ByArtifact[PlannedFile] = ByArtifact()

    __repr__ = concise_repr

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and self.error is None

    @property
    def row_differences(self) -> tuple[F_co, ...]:
        """The JSON and CSV files whose number of rows is not the `count_total` of the export.

        Only files whose rows were counted are compared. The API does not document what `count_total` counts,
        so a difference is not a failure. The other artifacts contain only some rows, and are not compared.
        """
        expected = None if self.export is None else self.export.count_total
        if expected is None:
            return ()
        return tuple(
            file
            for file in self.files
            if file.artifact in _ALL_RECORDS and file.rows is not None and file.rows != expected
        )

    def raise_for_failures(self) -> None:
        """Raise an error if anything failed.

        Raises:
            PackageXError: The `error` of the report, if the export as a whole failed.
            DownloadGroupError: At least one artifact failed.
        """
        if self.error is not None:
            raise self.error
        if self.failures:
            raise DownloadGroupError.of(self)

    def __str__(self) -> str:
        return _summary(self)


def _summary(report: DownloadReport[StoredFile]) -> str:
    """Return the report as text for people."""
    lines = [f"export {sanitize(report.export_id)}: {', '.join(_totals(report))}"]
    # Paths are not redacted, but they may contain text from the server, so they are escaped.
    lines += [
        f"  {file.artifact}: {escape(_location(file))} ({', '.join(_details(file, report.export))})"
        for file in report.files
    ]
    lines += [
        f"  {file.artifact}: {escape(file.url or str(file.path))} ({_planned(file)})"
        for file in report.planned
    ]
    lines += [f"  {artifact}: not offered" for artifact in report.missing]
    lines += [f"  {error.artifact}: failed: {error.args[0]}" for error in report.failures]
    if report.error is not None:
        lines.append(f"  failed: {report.error}")
    return "\n".join(lines)


def _location(file: StoredFile) -> str:
    return file.url if isinstance(file, BucketFile) else str(file.path)


def _totals(report: DownloadReport[StoredFile]) -> list[str]:
    totals = ["no files"]
    if report.files:
        totals = [_count(len(report.files), "file"), _size(sum(file.size for file in report.files))]
    if report.planned:
        totals.append(f"{len(report.planned)} to download")
    if report.failures:
        totals.append(f"{len(report.failures)} failed")
    return totals


def _details(file: StoredFile, export: Export | None) -> list[str]:
    details = [_size(file.size), "not verified" if file.verified == "none" else f"{file.verified} verified"]
    if file.kept:
        details.append("kept")
    if file.resumed:
        details.append("resumed")
    if file.attempts > 1:
        details.append(f"{file.attempts} attempts")
    if file.rows is not None:
        details.append("1 row" if file.rows == 1 else f"{file.rows:,} rows")
        if export is not None and export.count_total is not None and file.artifact in _ALL_RECORDS:
            details.append(f"count_total {export.count_total:,}")
    return details


def _planned(file: PlannedFile) -> str:
    size = "unknown size" if file.size is None else _size(file.size)
    return f"to download: {file.reason}, {size}"


def _size(count: float) -> str:
    if count < 1024:
        return _count(int(count), "byte")
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        # Show 1.0 of the next unit instead of 1024.0.
        if count < 1023.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:,.1f} TiB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class DownloadGroupError(PackageXError, ExceptionGroup[PackageXError]):
    """At least one artifact of an export failed; the report contains the others.

    Attributes:
        report: The report with the outcomes of all artifacts.
    """

    report: DownloadReport

    def __new__(cls, message: str, errors: Sequence[PackageXError], /) -> Self:
        # The message of a group can only be set here.
        return super().__new__(cls, sanitize(message, limit=MESSAGE_LIMIT), errors)

    def __init__(self, message: str, errors: Sequence[PackageXError], /) -> None:
        super().__init__(message, errors)

    @classmethod
    def of(cls, report: DownloadReport[Any]) -> Self:
        """Return the error for the failures in `report`."""
        count = len(report.failures)
        failed = "1 artifact" if count == 1 else f"{count} artifacts"
        error = cls(f"export {report.export_id}: {failed} failed", report.failures)
        error.report = report
        return error

    def derive(self, excs: Sequence[PackageXError], /) -> DownloadGroupError:  # type: ignore[override]
        group = DownloadGroupError(self.message, excs)
        group.report = self.report
        return group
