"""The JSON records of `sync`: progress events, notices and reports.

No record contains the URL of an artifact.
"""

from __future__ import annotations

import attrs

from packagex_async import DownloadedFile, DownloadReport, PackageXError, Poll, ProgressEvent
from packagex_async.cli.display.notices import Notice
from packagex_async.cli.messages.hints import error_message
from packagex_async.cli.settings.destination import file_record

Record = dict[str, object]


def progress_record(event: ProgressEvent) -> Record:
    """Return the record of a progress event. Its field `event` is the kind of the event."""
    fields: Record = attrs.asdict(event, recurse=False)
    return {"event": fields.pop("kind")} | fields | {"error": _error_text(event.error)}


def notice_record(notice: Notice) -> Record:
    """Return the record of a repeated request, or of renewed URLs."""
    return {"event": notice.kind, "reason": notice.text, "delay": notice.delay}


def poll_record(poll: Poll) -> Record:
    """Return the record of a poll."""
    fields: Record = attrs.asdict(poll, recurse=False)
    return {"event": "polled"} | fields | {"error": _error_text(poll.error)}


def report_record(report: DownloadReport) -> Record:
    """Return the record of the report of one export."""
    return {
        "event": "report",
        "export_id": report.export_id,
        "ok": report.ok,
        "count_total": report.export.count_total if report.export else None,
        "files": [_file_record(file) for file in report.files],
        "not_offered": list(report.missing),
        "failures": [
            {"artifact": error.artifact, "error": error_message(error)} for error in report.failures
        ],
        "error": _error_text(report.error),
    }


def _file_record(file: DownloadedFile) -> Record:
    record: Record = file_record(file)
    return record | {"elapsed": round(file.elapsed, 3)}


def _error_text(error: PackageXError | None) -> str | None:
    return None if error is None else error_message(error)
