"""Print lines, tables and JSON to stdout, and errors to stderr. Text of the server is made safe to print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import PurePath
from typing import TextIO

from packagex_async._utils.redaction import escape, redact_json, sanitize
from packagex_async.cli.output.layout import MIN_TABLE_WIDTH, Column, format_blocks, format_table
from packagex_async.cli.output.terminal import ellipsis_for, style_for, terminal_width
from packagex_async.cli.stdio import naming, write_error

SCHEMA_VERSION = 1
"""The version of the JSON records. It rises when a field is removed, or changes its type or meaning."""

_MAX_CELL_LENGTH = 100_000
_MAX_ERROR_LENGTH = 4_000
"""Characters of a text in an error line. Longer texts are cut."""


def print_line(text: str) -> None:
    """Print one line to stdout. Control characters are escaped; nothing is redacted."""
    _write(f"{_make_encodable(escape(text), sys.stdout)}\n", sys.stdout)


def print_json(record: Mapping[str, object], file: TextIO | None = None) -> None:
    """Print one line of JSON. Secrets in strings are redacted; paths are printed unchanged.

    Args:
        record: The fields. The field `schema_version` is added.
        file: The stream. Default: stdout.
    """
    versioned = {"schema_version": SCHEMA_VERSION, **record}
    _write(f"{json.dumps(redact_json(versioned), default=str)}\n", file or sys.stdout)


def print_table(
    columns: Sequence[Column | str], rows: Iterable[Sequence[object]], file: TextIO | None = None
) -> None:
    """Print a table.

    On a terminal, each row is one line, or one block of lines if the terminal is narrow. Otherwise, each row
    is a line of tab-separated cells, all of them complete.

    Args:
        columns: The columns. The name of a column stands for a column that is never dropped.
        rows: The values. `None` is a dash on terminals, and an empty cell elsewhere.
        file: The stream. Default: stdout.
    """
    stream = file or sys.stdout
    headings = [
        Column(column, priority=position, required=True) if isinstance(column, str) else column
        for position, column in enumerate(columns)
    ]
    if not stream.isatty():
        print_tab_separated([column.name for column in headings], stream)
        for row in rows:
            print_tab_separated(row, stream)
        return
    shown = [index for index, column in enumerate(headings) if column.priority is not None]
    visible = [headings[index] for index in shown]
    cells = [
        [_format_cell(headings[index].text(row[index]), row[index], stream) for index in shown]
        for row in rows
    ]
    width = terminal_width()
    format_lines = format_table if width >= MIN_TABLE_WIDTH else format_blocks
    lines = format_lines(visible, cells, width, ellipsis=ellipsis_for(stream), style=style_for(stream))
    _write("".join(f"{line}\n" for line in lines), stream)


def print_fields(columns: Sequence[Column], values: Sequence[object], file: TextIO | None = None) -> None:
    """Print a record as lines of the form `name: value`; without a terminal, with a tab instead.

    Args:
        columns: The fields.
        values: The values, one for each field.
        file: The stream. Default: stdout.
    """
    stream = file or sys.stdout
    if not stream.isatty():
        for column, value in zip(columns, values, strict=True):
            print_tab_separated([column.name, value], stream)
        return
    cells = [
        _format_cell(column.text(value), value, stream) for column, value in zip(columns, values, strict=True)
    ]
    lines = format_blocks(columns, [cells], None, ellipsis="", style=style_for(stream))
    _write("".join(f"{line}\n" for line in lines), stream)


def print_tab_separated(values: Iterable[object], file: TextIO) -> None:
    """Print one line of tab-separated cells. Tabs and line breaks in values are escaped."""
    cells = ("" if value is None else _format_cell(_plain(value), value, file) for value in values)
    _write("\t".join(cells) + "\n", file)


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


def _write(text: str, stream: TextIO) -> None:
    with naming("stdout") if stream is sys.stdout else nullcontext():
        stream.write(text)
        stream.flush()


def _plain(value: object) -> object:
    """Return a value as it is in JSON."""
    if isinstance(value, bool):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _format_cell(shown: object, value: object, stream: TextIO) -> str:
    """Return `shown`, the text of `value`, as text that is safe to print."""
    text = escape(str(shown)) if isinstance(value, PurePath) else sanitize(shown, limit=_MAX_CELL_LENGTH)
    return _make_encodable(text, stream)


def _make_encodable(text: str, stream: TextIO) -> str:
    """Escape the characters of `text` that `stream` cannot encode."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
