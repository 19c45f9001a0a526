"""What goes to the terminal: tables and JSON lines to stdout, complaints to stderr, nothing cut off."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_UNLIMITED = 1_000_000


def show(text: str) -> None:
    """Write one line to stdout."""
    _write(f"{_printable(text, sys.stdout)}\n")


def show_json(record: Mapping[str, object]) -> None:
    """Write one line of JSON to stdout."""
    _write(f"{json.dumps(record)}\n")


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
        table.add_row(*(Text(_printable(_cell(value), sys.stdout)) for value in row))
    console = Console()
    wanted = Measurement.get(console, console.options.update(max_width=_UNLIMITED), table)
    console.width = max(console.width, wanted.minimum) if sys.stdout.isatty() else wanted.maximum
    with console.capture() as captured:
        console.print(table)
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def complain(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"packagex-exports: {_printable(message, sys.stderr)}\n")


def abandon_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _printable(text: str, stream: TextIO) -> str:
    """`text`, which others may have written, without what a terminal obeys or `stream` cannot encode."""
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    encoding = stream.encoding or "utf-8"
    return visible.encode(encoding, "backslashreplace").decode(encoding)
