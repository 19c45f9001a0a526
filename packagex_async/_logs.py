"""The log messages of the package, all of which go to one logger.

DEBUG is used for each response, INFO for results (an export was created, its status changed, a download
finished), and WARNING for problems that were handled. Errors are raised, and not logged. Records of repeated
requests to the API and of renewed URLs have the attributes `event`, `reason` and `delay` (seconds or `None`).
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from packagex_async._utils.redaction import sanitize

if TYPE_CHECKING:
    from packagex_async.errors import PackageXError
    from packagex_async.models import Export
    from packagex_async.report import DownloadReport

_MAX_ARGUMENT = 2000
"""The length in characters to which an argument of a message is cut."""

_log = logging.getLogger("packagex_async")
# A library logs nothing unless the application configures logging.
_log.addHandler(logging.NullHandler())

_MAX_SHOWN = 20
"""The maximum number of exports that a message names."""

_is_repeated: ContextVar[bool] = ContextVar("is_repeated", default=False)


@contextmanager
def repeated(is_repeated: bool) -> Generator[None, None, None]:
    """Log problems within the block at DEBUG, if `is_repeated`: an earlier attempt has logged them."""
    token = _is_repeated.set(is_repeated)
    try:
        yield
    finally:
        _is_repeated.reset(token)


def request_done(method: str, address: str, outcome: object, seconds: float) -> None:
    """Log the status of a response, or the error of a request. The query of the address is redacted."""
    _emit(logging.DEBUG, "%s %s: %s in %.3f s", method, address, outcome, seconds)


def export_created(export: Export) -> None:
    """Log the creation of an export."""
    _emit(logging.INFO, "export %s: created, %s, of %s", export.id, export.status, export.resource)


def status_changed(export: Export) -> None:
    """Log a new status of an export that an operation waits for."""
    _emit(logging.INFO, "export %s: %s", export.id, export.status)


def waiting(export_ids: Sequence[str]) -> None:
    """Log the exports that are not completed after all exports were listed."""
    shown = ", ".join(sanitize(export_id) for export_id in export_ids[:_MAX_SHOWN])
    more = f" and {len(export_ids) - _MAX_SHOWN} more" if len(export_ids) > _MAX_SHOWN else ""
    count = "1 export" if len(export_ids) == 1 else f"{len(export_ids)} exports"
    _log.info("waiting for %s: %s%s", count, shown, more)


def malformed_items(page: int, count: int, first: str | None) -> None:
    """Log items of a page that are not exports."""
    items = "1 item is" if count == 1 else f"{count} items are"
    _log.warning("page %d of the listing: %s left out: %s", page, items, first)


def download_finished(report: DownloadReport[Any]) -> None:
    """Log the end of a download."""
    counts = len(report.files), len(report.missing), len(report.failures)
    _emit(logging.INFO, "export %s: %d files on disk, %d not offered, %d failed", report.export_id, *counts)


def retrying(failure: PackageXError, delay: float) -> None:
    """Log a failure that will be retried."""
    _emit(logging.WARNING, "%s; trying again in %.1f s", failure, delay)


def request_retried(failure: PackageXError, delay: float) -> None:
    """Log a failed request to the API that will be repeated."""
    extra = {"event": "request_retried", "reason": _clean(failure), "delay": delay}
    _emit(logging.WARNING, "%s; trying again in %.1f s", failure, delay, extra=extra)


def poll_failed(failure: PackageXError, interval: float) -> None:
    """Log the first of several failed polls of a watch."""
    extra = {"event": "poll_failed", "reason": _clean(failure), "delay": interval}
    _emit(logging.WARNING, "%s; polling again every %g s", failure, interval, extra=extra)


def polled(found: int, retried: int, pending: int, failing: int) -> None:
    """Log the end of a poll of `download_all(follow=True)`."""
    counts = found, retried, pending, failing
    _emit(logging.INFO, "polled: %d new, %d tried again, %d in progress, %d failing", *counts)


def polls_recovered() -> None:
    """Log that a poll of a watch has succeeded after failures."""
    _emit(logging.INFO, "the API responds again")


def rows_not_counted(failure: PackageXError) -> None:
    """Log why the rows of a file could not be counted."""
    _emit(logging.WARNING, "the rows were not counted: %s", failure)


def uploads_not_removed(bucket: str, reason: str) -> None:
    """Log why abandoned uploads of earlier runs could not be removed."""
    _emit(logging.WARNING, "%s: abandoned uploads were not removed: %s", bucket, reason)


def urls_refreshed(export_id: str) -> None:
    """Log that the URLs of an export had expired and were refreshed."""
    reason = f"export {_clean(export_id)}: its links had expired, and were renewed"
    _emit(logging.WARNING, "%s", reason, extra={"event": "urls_renewed", "reason": reason, "delay": None})


def unread_fields(export: Export) -> None:
    """Log the fields of an export with an invalid value, if any."""
    if export.unread:
        fields = ", ".join(export.unread)
        _emit(logging.WARNING, "export %s: could not read %s; see its `extra`", export.id, fields)


def _emit(level: int, template: str, *arguments: object, extra: Mapping[str, object] | None = None) -> None:
    """Log one line; sanitize all arguments that are not numbers. `extra` has attributes of the record."""
    if level == logging.WARNING and _is_repeated.get():
        level = logging.DEBUG
    if _log.isEnabledFor(level):
        clean = (value if isinstance(value, (int, float)) else _clean(value) for value in arguments)
        # The record refers to the function of this module that was called.
        _log.log(level, template, *clean, stacklevel=2, extra=extra)


def _clean(value: object) -> str:
    return sanitize(value, limit=_MAX_ARGUMENT)
