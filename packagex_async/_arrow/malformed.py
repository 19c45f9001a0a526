"""The internal error for a record that cannot be converted."""

from __future__ import annotations

from packagex_async._decoders.row_error import RowError


class MalformedRecordError(Exception):
    """A record cannot be converted.

    Attributes:
        error: The row, the column and the reason.
    """

    def __init__(self, reason: str, *, row: int | None = None, column: str | None = None) -> None:
        super().__init__(reason)
        self.error = RowError(row, reason, column)
