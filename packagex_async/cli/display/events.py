"""What many downloads tell a program: a record for each step, each export and the end; no URL is in any."""

from __future__ import annotations

import attrs

from packagex_async import DownloadedFile, DownloadReport, PackageXError, ProgressEvent

Record = dict[str, object]


def of_step(event: ProgressEvent) -> Record:
    """One step of one artifact; `event` is its kind."""
    told: Record = attrs.asdict(event, recurse=False)
    return {"event": told.pop("kind")} | told | {"error": _text(event.error)}


def of_report(report: DownloadReport) -> Record:
    """What became of one export."""
    return {
        "event": "report",
        "export_id": report.export_id,
        "ok": report.ok,
        "files": [_of_file(file) for file in report.files],
        "missing": list(report.missing),
        "failures": [{"artifact": error.artifact, "error": str(error)} for error in report.failures],
        "error": _text(report.error),
    }


def _of_file(file: DownloadedFile) -> Record:
    told: Record = attrs.asdict(file)
    return told | {"elapsed": round(file.elapsed, 3)}


def _text(error: PackageXError | None) -> str | None:
    return None if error is None else str(error)
