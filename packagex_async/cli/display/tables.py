"""Print lines, tables and JSON to stdout, and errors to stderr. Text of the server is made safe to print."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from packagex_async._utils.redaction import escape, redact_json, sanitize
from packagex_async.cli.stdio import write_error

_UNLIMITED_WIDTH = 1_000_000
_MAX_CELL_LENGTH = 100_000
_MAX_ERROR_LENGTH = 4_000
"""Characters of a text in an error line. Longer texts are cut."""


def print_line(text: str) -> None:
    """Print one line to stdout. Control characters are escaped; nothing is redacted."""
    _write(f"{_make_encodable(escape(text), sys.stdout)}\n")


def print_json(record: Mapping[str, object]) -> None:
    """Print one line of JSON to stdout. Secrets in strings are redacted; paths are printed unchanged."""
    _write(f"{json.dumps(redact_json(record), default=str)}\n")


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, wrap: Collection[str] = ()
) -> None:
    """Print a table to stdout.

    Args:
        headings: The headings of the columns.
        rows: The values; `None` is printed as a dash.
        wrap: The columns whose text wraps on a narrow terminal. If stdout is not a terminal, each row is one
            line.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in wrap, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_format_cell(value)) for value in row))
    console = Console()
    width = Measurement.get(console, console.options.update(max_width=_UNLIMITED_WIDTH), table)
    console.width = max(console.width, width.minimum) if sys.stdout.isatty() else width.maximum
    with console.capture() as captured:
        console.print(table)
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def print_error(*parts: object) -> None:
    """Print the texts and paths in `parts` as one line to stderr."""
    line = "".join(printable(part, max_length=_MAX_ERROR_LENGTH) for part in parts)
    write_error(f"packagex-exports: {_make_encodable(line, sys.stderr)}")


def printable(value: object, *, max_length: int) -> str:
    """Return `value` as text that is safe to print on a terminal.

    Control characters in paths are escaped. Other values may be text of the server: secrets are redacted, and
    long texts are cut.
    """
    return escape(str(value)) if isinstance(value, PurePath) else sanitize(value, limit=max_length)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _format_cell(value: object) -> str:
    if value is None:
        return "-"
    return _make_encodable(printable(value, max_length=_MAX_CELL_LENGTH), sys.stdout)


def _make_encodable(text: str, stream: TextIO) -> str:
    """Escape the characters of `text` that `stream` cannot encode."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
