"""What a download tells its caller: progress events while it runs, files and failures when it ends."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, Self, SupportsIndex, TypeVar, overload

import attrs

from packagex_async._utils.redaction import escape, redact, sanitize
from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import MESSAGE_LIMIT, DownloadError, ExportGoneError, PackageXError
from packagex_async.models import Artifact, ArtifactName

Verified = Literal["checksum", "length", "none"]


class ProgressKind(enum.StrEnum):
    """What a progress event tells."""

    STARTED = "started"
    ADVANCED = "advanced"
    RETRYING = "retrying"
    KEPT = "kept"
    FINISHED = "finished"
    FAILED = "failed"


@attrs.frozen(kw_only=True, repr=False)
class ProgressEvent:
    """One step of one artifact.

    Attributes:
        kind: What happened: `started` (the answer's head is here), `advanced`, `retrying`, and one of
            `kept`, `finished` or `failed` at the end.
        export_id: Which export.
        artifact: Which of its artifacts.
        received: Bytes of the artifact held so far; falls when a try starts again from zero.
        total: Bytes of the whole artifact, or `None` while unknown.
        attempt: The number of the try, from 1.
        delay: Seconds until the next try (`retrying` only).
        error: What went wrong (`retrying` and `failed` only).
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
    """One artifact, whole on disk.

    Attributes:
        artifact: Which artifact.
        path: Where it is.
        size: Its length in bytes.
        verified: What the bytes were checked against: a declared hash (`checksum`), the declared length
            (`length`), or nothing the storage host declared (`none`).
        sha256: Its SHA-256 in hexadecimal, when `digest="sha256"` was asked for.
        attempts: How many times it was asked for.
        resumed: Whether a broken transfer was continued instead of begun again.
        elapsed: Seconds from the first request to the file in place.
        kept: Whether the file was there already, with the object's length (and hash, if one is declared).
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

    __repr__ = concise_repr


class _Outcome(Protocol):
    @property
    def artifact(self) -> Artifact: ...


T_co = TypeVar("T_co", bound=_Outcome, covariant=True)


class ByArtifact(tuple[T_co, ...]):
    """A tuple in the order of `Artifact` that can be asked by artifact, too: `report.files["csv"].path`.

    What it does not hold is an `IndexError` or a `KeyError`; `"csv" in report.files` tells beforehand.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, key: Artifact | ArtifactName | SupportsIndex, /) -> T_co: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[T_co, ...]: ...
    def __getitem__(self, key: Artifact | ArtifactName | SupportsIndex | slice, /) -> T_co | tuple[T_co, ...]:
        if not isinstance(key, str):
            return super().__getitem__(key)
        for outcome in self:
            if outcome.artifact == key:
                return outcome
        raise KeyError(key)

    def __contains__(self, key: object, /) -> bool:
        return key in self.keys() if isinstance(key, str) else super().__contains__(key)

    def keys(self) -> tuple[Artifact, ...]:
        """The artifacts."""
        return tuple(outcome.artifact for outcome in self)

    def values(self) -> tuple[T_co, ...]:
        """What became of them."""
        return tuple(self)

    def items(self) -> tuple[tuple[Artifact, T_co], ...]:
        """Each artifact with what became of it."""
        return tuple((outcome.artifact, outcome) for outcome in self)


@attrs.frozen(kw_only=True, repr=False)
class DownloadReport:
    """What happened to an export's artifacts.

    Attributes:
        export_id: Which export.
        files: The artifacts that are whole on disk (also by artifact: `report.files["csv"]`).
        missing: The artifacts asked for that the export does not offer; this is no failure.
        failures: The errors of the others (also by artifact).
        error: What failed of the export as a whole: it is gone, say, or was never completed.
    """

    export_id: str = attrs.field(converter=redact)
    files: ByArtifact[DownloadedFile] = ByArtifact()
    missing: tuple[Artifact, ...] = ()
    failures: ByArtifact[DownloadError] = ByArtifact()
    error: PackageXError | None = None

    __repr__ = concise_repr

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and self.error is None

    def raise_for_failures(self) -> None:
        """Raise what failed, if anything did.

        Raises:
            PackageXError: The `error`, when the export as a whole failed.
            DownloadGroupError: With this report, when at least one artifact failed.
        """
        if self.error is not None:
            raise self.error
        if self.failures:
            raise DownloadGroupError.of(self)

    def __str__(self) -> str:
        return summary(self)


def summary(report: DownloadReport) -> str:
    """The report as text, to be read by people."""
    lines = [f"export {sanitize(report.export_id)}: {', '.join(_sums(report))}"]
    # A path is the caller's own; what the server's text may add to it is escaped.
    lines += [
        f"  {file.artifact}: {escape(str(file.path))} ({', '.join(_facts(file))})" for file in report.files
    ]
    lines += [f"  {artifact}: not offered" for artifact in report.missing]
    lines += [f"  {error.artifact}: failed: {error.args[0]}" for error in report.failures]
    if report.error is not None:
        lines.append(f"  failed: {report.error}")
    return "\n".join(lines)


def _sums(report: DownloadReport) -> list[str]:
    sums = ["no files"]
    if report.files:
        sums = [_count(len(report.files), "file"), _size(sum(file.size for file in report.files))]
    if report.failures:
        sums.append(f"{len(report.failures)} failed")
    return sums


def _facts(file: DownloadedFile) -> list[str]:
    facts = [_size(file.size), "not verified" if file.verified == "none" else f"{file.verified} verified"]
    if file.kept:
        facts.append("kept")
    if file.resumed:
        facts.append("resumed")
    if file.attempts > 1:
        facts.append(f"{file.attempts} attempts")
    return facts


def _size(count: float) -> str:
    if count < 1000:
        return _count(int(count), "byte")
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        # What would be told as 1000.0 is 1.0 of the next unit.
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class DownloadGroupError(PackageXError, ExceptionGroup[PackageXError]):
    """At least one artifact of an export failed; the others are in the report.

    Attributes:
        report: What happened, artifact by artifact.
    """

    report: DownloadReport

    def __new__(cls, message: str, errors: Sequence[PackageXError], /) -> Self:
        # The message of a group is set here, and cannot be changed afterwards.
        return super().__new__(cls, sanitize(message, limit=MESSAGE_LIMIT), errors)

    def __init__(self, message: str, errors: Sequence[PackageXError], /) -> None:
        super().__init__(message, errors)

    @classmethod
    def of(cls, report: DownloadReport) -> Self:
        """The error that tells of the failures in `report`."""
        count = len(report.failures)
        failed = "1 artifact" if count == 1 else f"{count} artifacts"
        error = cls(f"export {report.export_id}: {failed} failed", report.failures)
        error.report = report
        return error

    def derive(self, excs: Sequence[PackageXError], /) -> DownloadGroupError:  # type: ignore[override]
        part = DownloadGroupError(self.message, excs)
        part.report = self.report
        return part
