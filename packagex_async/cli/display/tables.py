"""What goes to the terminal: tables and JSON lines to stdout, complaints to stderr, nothing cut off."""

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

_UNLIMITED = 1_000_000
_CELL_LIMIT = 100_000
_LINE_LIMIT = 4_000
"""Characters of the longest text in a cell, and in a line on stderr."""


def show(text: str) -> None:
    """Write one line of our own words to stdout."""
    _write(f"{_encodable(escape(text), sys.stdout)}\n")


def show_json(record: Mapping[str, object]) -> None:
    """Write one line of JSON to stdout. A path is written as it is; every other text loses its secrets."""
    _write(f"{json.dumps(redact_json(record), default=str)}\n")


def show_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, foldable: Collection[str] = ()
) -> None:
    """Write a table to stdout; the columns in `foldable` make room on a terminal that is too narrow.

    Elsewhere than on a terminal, each row is one line, however long.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in foldable, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console()
    wanted = Measurement.get(console, console.options.update(max_width=_UNLIMITED), table)
    console.width = max(console.width, wanted.minimum) if sys.stdout.isatty() else wanted.maximum
    with console.capture() as captured:
        console.print(table)
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def complain(*parts: object) -> None:
    """Write one line to stderr, made of texts and paths."""
    line = "".join(plain(part, limit=_LINE_LIMIT) for part in parts)
    write_error(f"packagex-exports: {_encodable(line, sys.stderr)}")


def plain(value: object, *, limit: int) -> str:
    """Return `value` as text for a terminal.

    A path is the user's own, and stays as it is but for control characters; everything else may be a text of
    the server.
    """
    return escape(str(value)) if isinstance(value, PurePath) else sanitize(value, limit=limit)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _cell(value: object) -> str:
    return "-" if value is None else _encodable(plain(value, limit=_CELL_LIMIT), sys.stdout)


def _encodable(text: str, stream: TextIO) -> str:
    """`text` with what `stream` cannot encode spelled out."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
