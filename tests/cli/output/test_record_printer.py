"""Records as JSON, as tab-separated text, and as a table."""

from __future__ import annotations

import io
import json

import pytest

from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.record_printer import RecordPrinter
from tests.cli.support import Terminal

COLUMNS = [Column("id", priority=0), Column("size", lambda size: f"{size} B", priority=1, right=True)]
RECORD = {"id": "exp\t1", "size": 7, "more": True}


def test_json_is_printed_at_once() -> None:
    """It contains the fields of the columns only."""
    printer = RecordPrinter("export", COLUMNS, json=True, file=(out := io.StringIO()))
    printer.add(RECORD)
    assert json.loads(out.getvalue()) == {
        "schema_version": 1, "event": "export", "id": "exp\t1", "size": 7,
    }  # fmt: skip


def test_tab_separated_text_is_printed_at_once() -> None:
    """The first line contains the headings. Tabs in cells are escaped."""
    printer = RecordPrinter("export", COLUMNS, json=False, file=(out := io.StringIO()))
    assert out.getvalue() == ""
    printer.add(RECORD)
    assert out.getvalue() == "id\tsize\nexp\\t1\t7\n"
    printer = RecordPrinter("export", COLUMNS, json=False, file=(out := io.StringIO()))
    printer.finish()
    assert out.getvalue() == "id\tsize\n"


def test_table_is_printed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widths of the columns depend on all records."""
    monkeypatch.setenv("TERM", "dumb")
    printer = RecordPrinter("export", COLUMNS, json=False, file=(terminal := Terminal()))
    assert printer.is_empty_table
    printer.finish()
    printer.add(RECORD)
    assert terminal.getvalue() == ""
    printer.finish()
    assert terminal.getvalue() == "id      size\nexp\\t1   7 B\n"
