"""The error of a row, before the export that contains the row is known."""

from __future__ import annotations

from typing import NamedTuple

from packagex_async.errors import MalformedRowError
from packagex_async.models import Artifact

NOT_UTF_8 = "it is not text in UTF-8"


class RowError(NamedTuple):
    """The error of a row.

    Attributes:
        row: The number of the row, from 1, or `None` if the error is not in a row.
        reason: The reason, without the contents of the row.
        column: The name of the column, if a single cell is malformed.
    """

    row: int | None
    reason: str
    column: str | None = None

    def of_export(self, export_id: str, artifact: Artifact) -> MalformedRowError:
        """Return the error for a row of this artifact."""
        column = "" if self.column is None else f", column {self.column!r}"
        message = self.reason if self.row is None else f"row {self.row}{column}: {self.reason}"
        return MalformedRowError(
            message, export_id=export_id, artifact=artifact, row=self.row, column=self.column
        )
