"""`batches` and `table`: columns, types, JSON, and errors without contents."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pyarrow as pa
import pytest

from packagex_async import AsyncPackageX, ChecksumError, ConfigurationError, MalformedRowError
from packagex_async.testing import Emulator, WrongHash

CSV = b'\xef\xbb\xbfid,city,weight\r\n00501,"New\r\nYork",5\r\n\r\n2,"He said ""hi""",\r\n'
ROWS = [
    {"id": "00501", "city": "New\r\nYork", "weight": "5"},
    {"id": "2", "city": 'He said "hi"', "weight": ""},
]


NO_INTEGER = "row 2, column 'id': it is not a value of int64"
ARRAY = "row 2, column 'id': it is an array, and not a single value"
OBJECT = "row 1, column 'id': it is an object, and not a single value"


async def batches(px: AsyncPackageX, *args: Any, **options: Any) -> list[pa.RecordBatch]:
    async with aclosing(px.exports.batches(*args, **options)) as found:
        return [batch async for batch in found]


async def test_csv(server: Emulator, px: AsyncPackageX) -> None:
    """All columns are text, and no value is null."""
    export = server.add_export(content={"csv": CSV})
    table = await px.exports.table(export.id)
    assert table.to_pylist() == ROWS
    assert table.schema.types == [pa.string()] * 3
    assert pa.Table.from_batches(await batches(px, export.id)) == table


async def test_large_csv(server: Emulator, px: AsyncPackageX) -> None:
    """A large CSV arrives in several record batches."""
    lines = [f'{number},"Street {number}\r\nFloor ""1"""\r\n' for number in range(100_000)]
    export = server.add_export(content={"csv": "".join(["id,address\r\n", *lines]).encode()})
    found = await batches(px, export.id, types={"id": pa.int32()})
    assert len(found) > 2
    table = pa.Table.from_batches(found)
    assert table["id"].to_pylist() == list(range(100_000))
    assert table["address"][99_999].as_py() == 'Street 99999\r\nFloor "1"'


async def test_json(server: Emulator, px: AsyncPackageX) -> None:
    """The columns are the union of all keys. Values are text, and missing values are null."""
    records: list[dict[str, Any]] = [
        {"id": 1, "name": "Ann", "active": True},
        {"id": 2, "note": "", "name": None, "weight": 1.5},
    ]
    export = server.add_export(content={"json": json.dumps({"data": records}).encode()})
    table = await px.exports.table(export.id, "json", types={"weight": "float64", "note": "string"})
    assert table.schema.names == ["id", "name", "active", "note", "weight"]
    assert table.to_pylist() == [
        {"id": "1", "name": "Ann", "active": "true", "note": None, "weight": None},
        {"id": "2", "name": None, "active": None, "note": "", "weight": 1.5},
    ]


async def test_columns_of_json_grow(server: Emulator, px: AsyncPackageX) -> None:
    """A record batch has the columns of all records so far; the table has all columns."""
    records = [{"id": str(number), "text": "x" * 100} for number in range(12_000)] + [{"last": "1"}]
    export = server.add_export(content={"json": json.dumps(records).encode()})
    found = await batches(px, export.id, "json")
    assert found[0].schema.names == ["id", "text"]
    assert found[-1].schema.names == ["id", "text", "last"]
    table = await px.exports.table(export.id, "json", types={"last": "int8"})
    assert table.schema.types == [pa.string(), pa.string(), pa.int8()]
    assert table.num_rows == 12_001
    assert table["last"].to_pylist() == [None] * 12_000 + [1]


@pytest.mark.parametrize(
    ("artifact", "content", "types", "expected", "column"),
    [
        ("csv", b"id\n1\nSECRET\n", {"id": "int64"}, NO_INTEGER, "id"),
        ("csv", b"id,b\n1\nSECRET\n", None, "row 1: it has 1 cell, and the header has 2", None),
        ("csv", b"\xff\n1\n", None, "header: it is not text in UTF-8", None),
        ("json", b'[{"id":1},{"id":["SECRET"]}]', None, ARRAY, "id"),
        ("json", b'[{"id":{"SECRET":1}}]', None, OBJECT, "id"),
        ("json", b'[{"id":1},"SECRET"]', None, "row 2: it is not a JSON object", None),
        ("json", b'[{"id":1},{"id":"SECRET"}]', {"id": "int64"}, NO_INTEGER, "id"),
        ("json", b'[{"id":"\\ud800SECRET"}]', None, "row 1, column 'id': it has a lone surrogate", "id"),
    ],
)  # fmt: skip
async def test_malformed_row(
    server: Emulator,
    px: AsyncPackageX,
    artifact: Any,
    content: bytes,
    types: dict[str, str] | None,
    expected: str,
    column: str | None,
) -> None:
    """The error names row, column and type, and has no contents."""
    export = server.add_export(content={artifact: content})
    for read in (px.exports.table, lambda *args, **options: batches(px, *args, **options)):
        with pytest.raises(MalformedRowError) as caught:
            await read(export.id, artifact, types=types)
        error = caught.value
        assert str(error) == f"export {export.id}, artifact {artifact}: {expected}"
        assert error.column == column
        assert error.__cause__ is None
        assert error.__context__ is None


@pytest.mark.parametrize(
    ("artifact", "content"),
    [
        ("csv", b"id\n1\n2\n3,4\n5\n"),
        ("csv", b'id\n1\n2\n"3"x\n5\n'),
        ("csv", b'id\n1\n2\n"3'),
        ("csv", b"id\n1\n2\n\xff\n5\n"),
        ("json", b'[{"id":"1"},{"id":"2"},,{"id":"5"}]'),
    ],
)
async def test_rows_before_an_error(
    server: Emulator, px: AsyncPackageX, artifact: Any, content: bytes
) -> None:
    """They are yielded before the error is raised, as by `rows`."""
    export = server.add_export(content={artifact: content})
    found: list[object] = []
    with pytest.raises(MalformedRowError):
        async for batch in px.exports.batches(export.id, artifact):
            found += batch.to_pylist()
    rows: list[object] = []
    with pytest.raises(MalformedRowError):
        async for row in px.exports.rows(export.id, artifact):
            rows.append(row)
    assert found == rows == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\xef\xbb\xbf"])
async def test_empty_csv(server: Emulator, px: AsyncPackageX, content: bytes) -> None:
    """An empty file has neither rows nor columns, and a type of a column is no error."""
    export = server.add_export(content={"csv": content})
    table = await px.exports.table(export.id, types={"id": "int64"})
    assert (table.num_rows, table.num_columns) == (0, 0)
    assert await batches(px, export.id) == []


async def test_header_only(server: Emulator, px: AsyncPackageX) -> None:
    """A file without rows keeps columns and types."""
    export = server.add_export(content={"csv": b"id,name"})
    table = await px.exports.table(export.id, types={"id": "date32"})
    assert table.schema == pa.schema([("id", pa.date32()), ("name", pa.string())])
    assert table.num_rows == 0


@pytest.mark.parametrize("artifact", ["csv", "json"])
async def test_type_of_an_unknown_column(server: Emulator, px: AsyncPackageX, artifact: Any) -> None:
    """The error names the unknown column."""
    export = server.add_export(content={"csv": b"id\n1\n", "json": b'[{"id":1}]'})
    with pytest.raises(ConfigurationError, match="types: the artifact has no column 'wieght'"):
        await px.exports.table(export.id, artifact, types={"wieght": "int64"})
    with pytest.raises(ConfigurationError, match="types: the artifact has no column 'wieght'"):
        await batches(px, export.id, artifact, types={"wieght": "int64"})


async def test_invalid_parameters(px: AsyncPackageX) -> None:
    """Invalid parameters raise an error at the call."""
    with pytest.raises(ConfigurationError, match="artifacts must be some of"):
        px.exports.batches("exp_1", "xml")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the type of column 'id' must be a pyarrow"):
        px.exports.batches("exp_1", types={"id": "decimal"})
    with pytest.raises(ConfigurationError, match="the type of column 'id' must be a pyarrow"):
        await px.exports.table("exp_1", types={"id": "int65"})


async def test_duplicate_columns(server: Emulator, px: AsyncPackageX) -> None:
    """Duplicate columns get a number, and a warning names them."""
    export = server.add_export(content={"csv": b"id,id,id_2\n1,2,3\n"})
    with pytest.warns(UserWarning, match="several columns have the same name: id"):
        table = await px.exports.table(export.id)
    assert table.to_pylist() == [{"id": "1", "id_3": "2", "id_2": "3"}]


async def test_artifact_with_a_wrong_hash(server: Emulator, px: AsyncPackageX) -> None:
    """An artifact with a wrong hash raises an error instead of a table."""
    export = server.add_export(content={"csv": CSV})
    server.inject(WrongHash())
    with pytest.raises(ChecksumError):
        await px.exports.table(export.id)
