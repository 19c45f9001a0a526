"""Reports of workers: encoded without paths, and decoded with the paths of the client process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from packagex_async._partials.targets import Target
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import DownloadError, PackageXError
from packagex_async.integrations._dask.messages import ExportRecord, FileResult, PlanResult, ReportResult
from packagex_async.models import Artifact, Export
from packagex_async.report import ByArtifact, DownloadReport, StoredFile

Targets = Callable[[Export, Artifact], Target]
"""Returns the file or object of an artifact."""

_MAX_PATH = 5000
_ROOT = "{destination}"


def encode_report(
    report: DownloadReport[StoredFile], record: ExportRecord, targets: Targets, root: str
) -> ReportResult:
    """Return a report without paths.

    Args:
        report: The report.
        record: The export as it was listed.
        targets: Returns the file or object of an artifact.
        root: The path or URL of the destination.
    """
    has_errors = report.failures or report.error
    names = _placeholders(_names(record.to_export(), targets, root)) if has_errors else {}
    return ReportResult(
        files=tuple(
            FileResult(
                file.artifact.value,
                file.size,
                file.verified,
                file.sha256,
                file.attempts,
                file.resumed,
                file.elapsed,
                file.kept,
                file.rows,
                file.source_sha256,
            )
            for file in report.files
        ),
        missing=tuple(artifact.value for artifact in report.missing),
        failures=tuple(_replace(error, names) for error in report.failures),
        error=None if report.error is None else _replace(report.error, names),
        planned=tuple(PlanResult(file.artifact.value, file.reason, file.size) for file in report.planned),
        changed=_changed(report.export, record),
    )


def decode_report(
    result: ReportResult, export: Export, targets: Targets, root: str
) -> DownloadReport[StoredFile]:
    """Return the report of a worker with the paths of this process.

    Args:
        result: The report without paths.
        export: The export as it was listed.
        targets: Returns the file or object of an artifact.
        root: The path or URL of the destination.
    """
    names = _names(export, targets, root) if result.failures or result.error else {}
    return DownloadReport(
        export_id=export.id,
        export=result.changed or export,
        files=ByArtifact(
            targets(export, Artifact(file.artifact)).new_file(
                **{**file._asdict(), "artifact": Artifact(file.artifact)}
            )
            for file in result.files
        ),
        missing=tuple(map(Artifact, result.missing)),
        failures=ByArtifact(cast(DownloadError, _replace(error, names)) for error in result.failures),
        error=None if result.error is None else _replace(result.error, names),
        planned=ByArtifact(
            targets(export, Artifact(file.artifact)).new_planned_file(
                **{**file._asdict(), "artifact": Artifact(file.artifact)}
            )
            for file in result.planned
        ),
    )


def encode_error(error: PackageXError, root: str) -> PackageXError:
    """Return an error that ends the job, with a placeholder for the destination."""
    return _replace(error, _placeholders({_ROOT: root}))


def decode_error(error: PackageXError, root: str) -> PackageXError:
    """Return the error of a worker with the destination in this process."""
    return _replace(error, {_ROOT: root})


def _changed(export: Export | None, record: ExportRecord) -> Export | None:
    """Return `export` if it is not in the state of `record`. Its pickle contains no URLs."""
    if export is None or ExportRecord.of(export, refresh=record.refresh) == record:
        return None
    return export


def _names(export: Export, targets: Targets, root: str) -> dict[str, str]:
    """Return the paths that errors may contain, by their placeholders. Longer paths come first."""
    files = {f"{{file of {artifact}}}": targets(export, artifact).name for artifact in Artifact}
    return {**files, _ROOT: root}


def _placeholders(names: Mapping[str, str]) -> dict[str, str]:
    """Return the placeholders by path, and by the form that a path has in messages."""
    forms = {sanitize(name, limit=_MAX_PATH): placeholder for placeholder, name in names.items()}
    return {name: placeholder for placeholder, name in names.items()} | forms


def _replace(error: PackageXError, texts: Mapping[str, str]) -> PackageXError:
    """Return a copy of an error, without its traceback, in which texts are replaced."""
    rebuild, (kind, arguments, state) = error.__reduce__()
    values = {name: _replaced(value, texts) for name, value in state.items()}
    copy: PackageXError = rebuild(kind, tuple(_replaced(value, texts) for value in arguments), values)
    return copy


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, PackageXError):
        return _replace(value, texts)
    if isinstance(value, str):
        for text, replacement in texts.items():
            value = value.replace(text, replacement)
    return value
