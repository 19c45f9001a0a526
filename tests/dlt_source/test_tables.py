"""Tables contain the rows of an export, and the columns that identify them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from packagex_async import Export

pytest.importorskip("pyarrow")
import pyarrow as pa

from packagex_async.integrations.dlt import tables
from packagex_async.integrations.dlt.tables import empty_table, row_tables

CREATED = datetime(2026, 3, 1, tzinfo=UTC)
EXPORT = Export(id="exp_1", created_at=CREATED)
BATCHES = [pa.RecordBatch.from_pydict({"a": [f"{n}{m}" for m in range(3)]}) for n in range(4)]


@pytest.mark.parametrize("size", [0, 50, 10**6])
@pytest.mark.parametrize("skip", [0, 2, 3, 11])
def test_rows_are_numbered(monkeypatch: pytest.MonkeyPatch, size: int, skip: int) -> None:
    """Each row has the number that it has in the artifact, also if rows are left out."""
    monkeypatch.setattr(tables, "TABLE_SIZE", size)
    parts = list(row_tables(EXPORT, BATCHES, ["a"], skip))
    rows = [row for part in parts for row in part.table.to_pylist()]
    assert rows == [
        {"a": f"{n // 3}{n % 3}", "_export_id": "exp_1", "_export_row": n + 1, "_export_created_at": CREATED}
        for n in range(skip, 12)
    ]
    assert parts[-1].end == 12
    assert (len(parts) > 1) == (size < 100 and skip < 9)


def test_columns_may_grow() -> None:
    """Record batches with other columns are in other tables."""
    more = pa.RecordBatch.from_pydict({"a": ["x"], "b": ["y"]})
    first, second = row_tables(EXPORT, [BATCHES[0], more], ["A", "B"], 0)
    assert first.table.schema.names[:2] == ["A", "_export_id"]
    assert second.table.schema.names[:3] == ["A", "B", "_export_id"]
    assert second.table.column("_export_row").to_pylist() == [4]


def test_records_without_columns() -> None:
    """Rows are numbered, even if they have no columns."""
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    (part,) = row_tables(Export(id="exp_1"), [batch], [], 0)
    assert part.table.column("_export_row").to_pylist() == [1, 2]
    assert part.table.column("_export_created_at").to_pylist() == [None, None]


def test_empty_table() -> None:
    """A table without rows has all columns."""
    table = empty_table(EXPORT, pa.schema([("a", pa.int64())]), ["A"])
    assert table.schema.names == ["A", "_export_id", "_export_row", "_export_created_at"]
    assert (table.num_rows, table.schema.field("A").type) == (0, pa.int64())
