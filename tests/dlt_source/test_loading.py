"""Failures of exports and of the listing, and artifacts with unusual contents."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async.testing import Cut, Emulator, FileFormat, Status, WrongHash
from tests.dlt_source.conftest import ids, select

Source = Callable[..., Any]


def failed(pipeline: Any) -> dict[str, str]:
    from packagex_async.integrations.dlt import failed_exports

    return failed_exports(pipeline)


def test_wrong_hash(server: Emulator, source: Source, pipeline: Any) -> None:
    """No row of an artifact with a wrong hash is loaded. Other exports are, and it is tried again."""
    good, bad = (server.add_export(rows=50_000) for _ in range(2))
    server.inject(WrongHash(export_id=bad.id), times=None)
    for _ in range(2):
        pipeline.run(source())
        assert set(ids(pipeline)) == {good.id}
        assert list(failed(pipeline)) == [bad.id]
    assert "crc32c" in failed(pipeline)[bad.id]


def test_failure_is_repaired(server: Emulator, source: Source, pipeline: Any) -> None:
    """An export that failed is loaded by a later run."""
    export = server.add_export(content={"csv": b'id\n1\n"2'})
    pipeline.run(source())
    assert list(failed(pipeline)) == [export.id]
    server.add_export(export_id=export.id, content={"csv": b"id\n1\n2\n"})
    pipeline.run(source())
    assert ids(pipeline) == [export.id] * 2
    assert failed(pipeline) == {}


def test_malformed_row(server: Emulator, source: Source, pipeline: Any) -> None:
    """No row of an artifact with a malformed row is loaded."""
    bad = server.add_export(rows=3, file_format=FileFormat(malformed="ragged"))
    good = server.add_export(rows=3)
    pipeline.run(source())
    assert set(ids(pipeline)) == {good.id}
    assert "row 3" in failed(pipeline)[bad.id]


def test_resumed_transfer(server: Emulator, source: Source, pipeline: Any) -> None:
    """A connection that ends early loses and duplicates no row."""
    server.add_export(rows=5000)
    server.inject(Cut(after=100_000))
    pipeline.run(source())
    rows = select(pipeline, "SELECT _export_row FROM contact ORDER BY 1")
    assert rows == [(row,) for row in range(1, 5001)]


def test_rejected_key(server: Emulator, source: Source, pipeline: Any) -> None:
    """A key that the API refuses ends the run with its error."""
    from packagex_async import AuthenticationError

    server.add_export(rows=3)
    server.inject(Status(401, on="api"), times=None)
    with pytest.raises(Exception, match="401") as caught:
        pipeline.run(source())
    extraction = caught.value.__cause__
    assert extraction is not None
    assert isinstance(extraction.__cause__, AuthenticationError)


def test_failed_listing(server: Emulator, source: Source, pipeline: Any) -> None:
    """A listing that fails ends the run with its error, if there are no rows."""
    server.inject(Status(403, on="api"), times=None)
    with pytest.raises(Exception, match="403"):
        pipeline.run(source())


def test_malformed_listing(server: Emulator, source: Source, pipeline: Any) -> None:
    """The rows of a listing with a malformed item are loaded; a run without rows raises the error."""
    export = server.add_export(rows=3)
    item = {"id": export.id, "status": "completed", "resource": "contact"}
    page = {"data": [item, {"id": 7}], "pagination": {"has_more": False, "page": 1, "limit": 100}}
    server.inject(Status(200, on="api", body=json.dumps(page).encode()))
    pipeline.run(source())
    assert ids(pipeline) == [export.id] * 3
    assert list(failed(pipeline)) == ["listing"]
    server.inject(Status(200, on="api", body=json.dumps(page).encode()))
    with pytest.raises(Exception, match=r"data\[1\].id"):
        pipeline.run(source())


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_exports_without_rows(
    server: Emulator, source: Source, pipeline: Any, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An export that failed on the platform is logged once, and is not a failure of the load."""
    logging.getLogger("dlt").addHandler(caplog.handler)
    export = server.add_export(status=status)
    for _ in range(2):
        pipeline.run(source())
    assert failed(pipeline) == {}
    assert caplog.text.count(export.id) == 1


def test_exports_in_progress(server: Emulator, source: Source, pipeline: Any) -> None:
    """An export in progress is loaded once it is completed."""
    export = server.add_export(status="processing", rows=3)
    server.update_export(export.id, status="processing")
    pipeline.run(source())
    assert failed(pipeline) == {}
    server.update_export(export.id, status="completed")
    pipeline.run(source())
    assert ids(pipeline) == [export.id] * 3


def test_missing_artifact(server: Emulator, source: Source, pipeline: Any) -> None:
    """An export that does not offer the artifact is not a failure, and is not requested again."""
    server.add_export(rows=3)
    with_errors = server.add_export(rows=3, error_rows=2)
    pipeline.run(source(artifact="csv_error"))
    assert ids(pipeline) == [with_errors.id] * 2
    count = len(server.requests)
    assert pipeline.run(source(artifact="csv_error")).loads_ids == []
    assert len(server.requests) == count + 1


def test_artifacts_are_independent(server: Emulator, source: Source, pipeline: Any) -> None:
    """Each artifact has a state of its own."""
    server.add_export(rows=3, error_rows=2)
    pipeline.run(source())
    pipeline.run(source(artifact="csv_error"))
    assert len(ids(pipeline)) == 5


def test_json(server: Emulator, source: Source, pipeline: Any) -> None:
    """The records of the JSON artifact are rows of text; nested values are JSON."""
    content = b'[{"id": "a", "weight": 1.50, "ok": true}, {"id": "b", "to": {"zip": "01234"}, "tags": [1]}]'
    server.add_export(content={"json": content})
    pipeline.run(source(artifact="json"))
    rows = select(pipeline, 'SELECT id, weight, ok, "to", tags, _export_row FROM contact ORDER BY id')
    assert rows == [("a", "1.50", "true", None, None, 1), ("b", None, None, '{"zip": "01234"}', "[1]", 2)]


def test_types(server: Emulator, source: Source, pipeline: Any) -> None:
    """Columns with a type have it in every export that has the column. An empty cell is null."""
    server.add_export(content={"csv": b"id,weight,paid\n01,7,2024-05-01\n02,,\n"})
    server.add_export(resource="group", content={"csv": b"id,name\n1,x\n"})
    pipeline.run(source(types={"weight": "int64", "paid": "date32"}))
    assert select(pipeline, "SELECT id, weight, typeof(weight), typeof(paid) FROM contact ORDER BY id") == [
        ("01", 7, "BIGINT", "DATE"),
        ("02", None, "BIGINT", "DATE"),
    ]
    assert select(pipeline, 'SELECT id, name FROM "group"') == [("1", "x")]


def test_unknown_typed_column(
    server: Emulator, source: Source, pipeline: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A type for a column that no export has is logged."""
    logging.getLogger("dlt").addHandler(caplog.handler)
    server.add_export(content={"csv": b"id\n1\n"})
    pipeline.run(source(types={"wieght": "int64"}))
    assert "no export has the column 'wieght'" in caplog.text
    assert len(ids(pipeline)) == 1


def test_malformed_cell(server: Emulator, source: Source, pipeline: Any) -> None:
    """A cell that does not have the type of its column is a failure of its export."""
    bad = server.add_export(content={"csv": b"id,weight\n1,CANARY\n"})
    good = server.add_export(content={"csv": b"id,weight\n1,2\n"})
    pipeline.run(source(types={"weight": "int64"}))
    assert ids(pipeline) == [good.id]
    assert "row 1, column 'weight'" in failed(pipeline)[bad.id]
    assert "CANARY" not in failed(pipeline)[bad.id]


def test_empty_cells(server: Emulator, source: Source, pipeline: Any) -> None:
    """An empty cell is an empty text. A column without any text is not lost."""
    server.add_export(content={"csv": b"id,note\n1,\n2,\n"})
    pipeline.run(source())
    assert select(pipeline, "SELECT id, note FROM contact ORDER BY id") == [("1", ""), ("2", "")]


def test_null_first(server: Emulator, source: Source, pipeline: Any) -> None:
    """A column that is null in the first export has values in a later one."""
    server.add_export(content={"json": b'[{"id": "1", "note": null}]'})
    pipeline.run(source(artifact="json"))
    server.add_export(content={"json": b'[{"id": "2", "note": "x"}]'})
    pipeline.run(source(artifact="json"))
    assert select(pipeline, "SELECT id, note FROM contact ORDER BY id") == [("1", None), ("2", "x")]


def test_different_columns(server: Emulator, source: Source, pipeline: Any) -> None:
    """Exports of one resource may have other columns, in another order, in one run and in later ones."""
    server.add_export(content={"csv": b"id,name\n1,a\n"})
    server.add_export(content={"csv": b"name,zip,id\nb,01234,2\n"})
    pipeline.run(source())
    server.add_export(content={"csv": b"phone,id\n+1,3\n"})
    pipeline.run(source())
    rows = select(pipeline, "SELECT id, name, zip, phone FROM contact ORDER BY id")
    assert rows == [("1", "a", None, None), ("2", "b", "01234", None), ("3", None, None, "+1")]


def test_columns_with_the_same_name(server: Emulator, source: Source, pipeline: Any) -> None:
    """Columns whose names are the same in the database get a number."""
    server.add_export(content={"csv": b"id,id,ID,Zip Code,zip_code,,_export_id,_dlt_id\n1,2,3,4,5,6,7,8\n"})
    with pytest.warns(UserWarning, match="the same name|name of another column") as warned:
        pipeline.run(source())
    assert len(warned) == 2
    assert {warning.filename for warning in warned} == {str(Path(__file__).with_name("conftest.py"))}
    query = (
        "SELECT id, id_2, id_3, zip_code, zip_code_2, column_6, _export_id_2, column_dlt_id, _export_row "
        "FROM contact"
    )
    assert select(pipeline, query) == [("1", "2", "3", "4", "5", "6", "7", "8", 1)]


def test_header_only(server: Emulator, source: Source, pipeline: Any) -> None:
    """An artifact with only a header becomes a table without rows; an empty one is left out."""
    server.add_export(content={"csv": b"id,name\n"})
    server.add_export(resource="group", content={"csv": b""})
    pipeline.run(source())
    assert select(pipeline, "SELECT id, name, _export_id FROM contact") == []
    assert "group" not in pipeline.default_schema.tables
    assert pipeline.run(source()).loads_ids == []


@pytest.mark.parametrize(
    ("resource", "table"),
    [
        ("Purchase Order", "purchase_order"),
        ("_dlt_loads", "unknown"),
        (" ", "unknown"),
        ('x"; DROP TABLE contact', "x_drop_table_contact"),
        ("a__b", "a__b"),
    ],
)
def test_unusual_resources(
    server: Emulator, source: Source, pipeline: Any, resource: str, table: str
) -> None:
    """Every resource has a table, and none is a table of dlt."""
    export = server.add_export(resource=resource, rows=3)
    pipeline.run(source())
    assert ids(pipeline, f'"{table}"') == [export.id] * 3


def test_export_that_is_not_completed(server: Emulator, source: Source, pipeline: Any) -> None:
    """An export that is not completed any more when it is requested is not a failure."""
    export = server.add_export(rows=3)
    page = {"data": [{"id": export.id, "status": "completed"}], "pagination": {"has_more": False, "page": 1}}
    server.update_export(export.id, status="processing")
    server.inject(Status(200, on="api", body=json.dumps(page).encode()))
    pipeline.run(source())
    assert failed(pipeline) == {}
    server.update_export(export.id, status="completed")
    pipeline.run(source())
    assert len(ids(pipeline)) == 3


def test_deleted_export(server: Emulator, source: Source, pipeline: Any) -> None:
    """An export that was deleted after the listing is a failure of this run only."""
    page = {"data": [{"id": "exp_1", "status": "completed"}], "pagination": {"has_more": False, "page": 1}}
    server.inject(Status(200, on="api", body=json.dumps(page).encode()))
    pipeline.run(source())
    assert list(failed(pipeline)) == ["exp_1"]
    pipeline.run(source())
    assert failed(pipeline) == {}


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dlt, the error names the extra."""
    from packagex_async.integrations.dlt import exports_source

    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(
        ConfigurationError, match=r"the extra dlt: pip install 'packagex-async\[dlt\]' adds it"
    ):
        exports_source(api_key="key")
