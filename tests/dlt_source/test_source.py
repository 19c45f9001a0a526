"""The dlt source loads every export once, into one table per resource."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator
from tests.dlt_source.conftest import ids, new_pipeline, select

Source = Callable[..., Any]


def test_one_table_per_resource(server: Emulator, source: Source, pipeline: Any) -> None:
    """The rows of all exports of a resource are in its table, as text."""
    contacts = [server.add_export(resource="contact", rows=3) for _ in range(2)]
    server.add_export(resource="shipment", rows=4)
    pipeline.run(source())
    rows = select(
        pipeline, "SELECT * EXCLUDE (_export_created_at) FROM contact ORDER BY _export_id, _export_row"
    )
    expected = []
    for export in sorted(contacts, key=lambda export: export.id):
        _, *lines = csv.reader(io.StringIO(server.content(export.id, "csv").decode(), newline=""))
        expected += [(*line, export.id, row) for row, line in enumerate(lines, 1)]
    assert rows == expected
    assert len(ids(pipeline, "shipment")) == 4


def test_second_run_loads_nothing(server: Emulator, source: Source, pipeline: Any) -> None:
    """Exports that were loaded are not downloaded again, and a new one is loaded."""
    first = server.add_export(rows=3)
    pipeline.run(source())
    assert pipeline.run(source()).loads_ids == []
    second = server.add_export(rows=2)
    pipeline.run(source())
    assert ids(pipeline) == sorted([first.id] * 3 + [second.id] * 2)


def test_lost_folder_of_the_pipeline(server: Emulator, source: Source, tmp_path: Path, pipeline: Any) -> None:
    """The state is also in the database, so a new machine loads nothing again."""
    server.add_export(rows=3)
    pipeline.run(source())
    pipeline.drop()
    other = new_pipeline(tmp_path)
    assert other.run(source()).loads_ids == []
    assert len(ids(other)) == 3


def test_same_source_twice(server: Emulator, source: Source, pipeline: Any) -> None:
    """A source object can be run again."""
    exports = source()
    server.add_export(rows=3)
    pipeline.run(exports)
    server.add_export(rows=3)
    pipeline.run(exports)
    assert len(ids(pipeline)) == 6


async def test_running_event_loop(server: Emulator, source: Source, pipeline: Any) -> None:
    """A pipeline can run in a coroutine."""
    server.add_export(rows=3)
    await asyncio.sleep(0)
    pipeline.run(source())
    assert len(ids(pipeline)) == 3


def test_parallelized(server: Emulator, source: Source, pipeline: Any) -> None:
    """dlt may run the resource in a thread of its pool."""
    for _ in range(5):
        server.add_export(rows=3)
    exports = source()
    exports.exports.parallelize()
    pipeline.run(exports)
    assert pipeline.run(source()).loads_ids == []
    assert len(ids(pipeline)) == 15


def test_merge(server: Emulator, source: Source, pipeline: Any) -> None:
    """With the disposition `merge`, rows that are loaded again replace the earlier ones."""
    server.add_export(rows=3)
    for _ in range(2):
        exports = source()
        exports.exports.apply_hints(write_disposition="merge")
        pipeline.run(exports, refresh=None)
        with pipeline.managed_state() as state:
            state["sources"].clear()
    assert len(ids(pipeline)) == 3


@pytest.mark.parametrize("refresh", ["drop_sources", "drop_resources", "drop_data"])
def test_refresh(server: Emulator, source: Source, pipeline: Any, refresh: Any) -> None:
    """A refresh of the pipeline loads everything again."""
    server.add_export(rows=3)
    pipeline.run(source())
    pipeline.run(source(), refresh=refresh)
    assert len(ids(pipeline)) == 3


def test_dev_mode(server: Emulator, source: Source, tmp_path: Path) -> None:
    """In the development mode, each pipeline loads everything into another dataset."""
    server.add_export(rows=3)
    for _ in range(2):
        pipeline = new_pipeline(tmp_path, dev_mode=True)
        assert len(pipeline.run(source()).loads_ids) == 1


def test_without_pipeline(server: Emulator, source: Source) -> None:
    """The source can be iterated, for a look at the tables."""
    export = server.add_export(rows=3)
    (table,) = list(source())
    assert table.column("_export_id").to_pylist() == [export.id] * 3
    (table,) = list(source().exports)
    assert table.num_rows == 3


def test_limit_of_items(server: Emulator, source: Source, pipeline: Any) -> None:
    """Exports that a limit leaves out are loaded later."""
    for _ in range(5):
        server.add_export(rows=3)
    pipeline.run(source().add_limit(2))
    assert len(ids(pipeline)) == 6
    pipeline.run(source().add_limit(0))
    pipeline.run(source())
    assert len(ids(pipeline)) == 15
    assert len(set(select(pipeline, "SELECT _export_id, _export_row FROM contact"))) == 15


def test_limit_of_parallelized(server: Emulator, source: Source, pipeline: Any) -> None:
    """Exports that were read ahead of a limit are loaded later."""
    for _ in range(9):
        server.add_export(rows=3)
    exports = source().add_limit(2)
    exports.exports.parallelize()
    pipeline.run(exports)
    assert len(ids(pipeline)) == 6
    pipeline.run(source())
    assert len(set(select(pipeline, "SELECT _export_id, _export_row FROM contact"))) == 27


def test_limit_within_export(
    server: Emulator, source: Source, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run continues within an export that a limit has divided."""
    from packagex_async.integrations.dlt import tables

    monkeypatch.setattr(tables, "TABLE_SIZE", 1)
    export = server.add_export(rows=50_000)
    pipeline.run(source().add_limit(2))
    count = len(ids(pipeline))
    assert 0 < count < 50_000
    assert pipeline.state["sources"]["packagex"]["resources"]["exports"]["partial"][export.id][0] == count
    pipeline.run(source())
    rows = select(pipeline, "SELECT _export_row FROM contact ORDER BY 1")
    assert rows == [(row,) for row in range(1, 50_001)]
    assert "partial" not in pipeline.state["sources"]["packagex"]["resources"]["exports"]


def test_filters(server: Emulator, source: Source, pipeline: Any) -> None:
    """Filters select exports, as those of `list` do."""
    server.add_export(resource="contact", rows=3)
    shipment = server.add_export(resource="shipment", rows=3)
    pipeline.run(source(resource="shipment", statuses=["completed"], limit=1))
    assert ids(pipeline, "shipment") == [shipment.id] * 3
    assert "contact" not in pipeline.default_schema.tables
