"""Print many records of the same kind: as JSON, as tab-separated text, or as a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from packagex_async.cli.display.tables import print_json, print_tab_separated, print_table
from packagex_async.cli.output.layout import Column


class RecordPrinter:
    """Prints records as they arrive, or as a table at the end if the output is a terminal.

    Args:
        event: The value of the field `event` in JSON.
        columns: The fields to print.
        json: Print one JSON object per line.
        file: The stream. Default: stdout.
    """

    def __init__(
        self, event: str, columns: Sequence[Column], *, json: bool, file: TextIO | None = None
    ) -> None:
        self._event = event
        self._columns = columns
        self._json = json
        self._file = file or sys.stdout
        self._is_table = self._file.isatty() and not json
        self._rows: list[list[object]] = []
        self._has_headings = json or self._is_table

    @property
    def is_empty_table(self) -> bool:
        """Whether the output is a terminal, and there are no records."""
        return self._is_table and not self._rows

    def add(self, record: Mapping[str, object]) -> None:
        """Print a record, or keep it for the table."""
        values = [record[column.name] for column in self._columns]
        if self._json:
            fields = {column.name: value for column, value in zip(self._columns, values, strict=True)}
            print_json({"event": self._event} | fields, self._file)
        elif self._is_table:
            self._rows.append(values)
        else:
            self._print_headings()
            print_tab_separated(values, self._file)

    def finish(self) -> None:
        """Print the table, if the output is a terminal and there are records."""
        self._print_headings()
        if self._rows:
            print_table(self._columns, self._rows, self._file)

    def _print_headings(self) -> None:
        if not self._has_headings:
            self._has_headings = True
            print_tab_separated([column.name for column in self._columns], self._file)
