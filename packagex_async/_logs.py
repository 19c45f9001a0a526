"""What is said while the package works: one logger, and every line it ever writes.

DEBUG tells of every answer, INFO of what has been brought about (an export created, its status changed, a
download finished), WARNING of what was met and dealt with. Nothing is said at ERROR: errors are raised.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from packagex_async._utils.redaction import sanitize

if TYPE_CHECKING:
    from packagex_async.errors import PackageXError
    from packagex_async.models import Export
    from packagex_async.report import DownloadReport

_LIMIT = 2000
"""Characters of the longest argument of a line."""

_log = logging.getLogger("packagex_async")
# A library is silent until its user asks to hear it.
_log.addHandler(logging.NullHandler())

_MOST_SHOWN = 20
"""Exports that one line names."""


def answered(method: str, address: str, outcome: object, seconds: float) -> None:
    """The head of an answer is here, or why there is none; of the address no query is told."""
    _emit(logging.DEBUG, "%s %s: %s in %.3f s", method, address, outcome, seconds)


def created(export: Export) -> None:
    """An export was created."""
    _emit(logging.INFO, "export %s: created, %s, of %s", export.id, export.status, export.resource)


def changed(export: Export) -> None:
    """An export that is waited for has another status."""
    _emit(logging.INFO, "export %s: %s", export.id, export.status)


def waiting(export_ids: Sequence[str]) -> None:
    """All exports are listed, and these are not completed yet."""
    shown = ", ".join(sanitize(export_id) for export_id in export_ids[:_MOST_SHOWN])
    more = f" and {len(export_ids) - _MOST_SHOWN} more" if len(export_ids) > _MOST_SHOWN else ""
    count = "1 export" if len(export_ids) == 1 else f"{len(export_ids)} exports"
    _log.info("waiting for %s: %s%s", count, shown, more)


def malformed(page: int, count: int, first: str | None) -> None:
    """A page has items that are no exports."""
    items = "1 item is" if count == 1 else f"{count} items are"
    _log.warning("page %d of the listing: %s left out: %s", page, items, first)


def downloaded(report: DownloadReport) -> None:
    """A download is over."""
    counts = len(report.files), len(report.missing), len(report.failures)
    _emit(logging.INFO, "export %s: %d files on disk, %d not offered, %d failed", report.export_id, *counts)


def trying_again(failure: PackageXError, delay: float) -> None:
    """Something failed, and is tried again."""
    _emit(logging.WARNING, "%s; trying again in %.1f s", failure, delay)


def renewed(export_id: str) -> None:
    """An export's links had expired."""
    _emit(logging.WARNING, "export %s: its links had expired, and were renewed", export_id)


def unread(export: Export) -> None:
    """An answer may have fields that could not be read."""
    if export.unread:
        fields = ", ".join(export.unread)
        _emit(logging.WARNING, "export %s: could not read %s; see its `extra`", export.id, fields)


def _emit(level: int, template: str, *arguments: object) -> None:
    """Log one event as one line, with every argument that is no number sanitized."""
    if _log.isEnabledFor(level):
        clean = (one if isinstance(one, (int, float)) else sanitize(one, limit=_LIMIT) for one in arguments)
        # The record names the line that told of the event.
        _log.log(level, template, *clean, stacklevel=2)
