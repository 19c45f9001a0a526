"""Failures of downloads that are repeated, so that each is printed once."""

from __future__ import annotations

from packagex_async import DownloadReport, PackageXError
from packagex_async.cli.display.totals import errors_of, is_permanent

_Failure = tuple[str | None, type[PackageXError]]


class RepeatedFailures:
    """The failures of exports whose download will be repeated.

    Only the artifact and the class of a failure are compared, because its message may contain numbers.
    """

    def __init__(self) -> None:
        self._known: dict[str, frozenset[_Failure]] = {}

    def __contains__(self, export_id: str) -> bool:
        return export_id in self._known

    def add(self, report: DownloadReport) -> tuple[PackageXError, ...]:
        """Return the errors of `report` that are new since the last report without errors."""
        errors = errors_of(report)
        known = self._known.pop(report.export_id, frozenset())
        if errors and not any(map(is_permanent, errors)):
            self._known[report.export_id] = known.union(map(_failure, errors))
        return tuple(error for error in errors if _failure(error) not in known)


def _failure(error: PackageXError) -> _Failure:
    return getattr(error, "artifact", None), type(error)
