"""Rows of an artifact while it streams."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from contextlib import aclosing
from typing import Any

import pytest

from packagex_async import (
    AsyncPackageX,
    ChecksumError,
    ClientClosedError,
    ConfigurationError,
    IncompleteBodyError,
    MalformedRowError,
    RetryPolicy,
    StorageError,
)
from packagex_async.testing import Cut, Emulator, Expired, FileFormat, Stall, WrongHash
from tests.support import NO_BACKOFF
from tests.time_limits import LIMITED


def expected(content: bytes, artifact: str) -> list[Any]:
    """Return the rows according to the standard library."""
    text = content.decode()
    return json.loads(text) if artifact == "json" else list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("artifact", ["csv", "json", "csv_error", "csv_sanitized"])
async def test_rows(server: Emulator, px: AsyncPackageX, artifact: Any) -> None:
    """Rows have the order and the keys of the file, as dicts or in lists of dicts."""
    export = server.add_export(rows=3000, error_rows=20, sanitized_rows=30)
    rows = [row async for row in px.exports.rows(export.id, artifact)]
    assert rows == expected(server.content(export.id, artifact), artifact)
    batches = [batch async for batch in px.exports.row_batches(export.id, artifact, size=999)]
    assert [row for batch in batches for row in batch] == rows
    assert {len(batch) for batch in batches[:-1]} <= {999}
    assert 0 < len(batches[-1]) <= 999


async def test_default_artifact_and_size(server: Emulator, px: AsyncPackageX) -> None:
    """The default artifact is the CSV, and the default size is 1,000 rows."""
    export = server.add_export(rows=1001)
    batches = [batch async for batch in px.exports.row_batches(await px.exports.retrieve(export.id))]
    assert [len(batch) for batch in batches] == [1000, 1]
    assert batches[1][0]["id"].startswith("cont_")


@pytest.mark.parametrize(
    "file_format",
    [
        FileFormat(json="envelope", line_break="\n"),
        FileFormat(json="lines", byte_order_mark=True),
        FileFormat(indent=None, line_break="\r"),
        FileFormat(json="record", indent=3),
    ],
)
async def test_formats(file_format: FileFormat, server: Emulator, px: AsyncPackageX) -> None:
    """The rows do not depend on the format of the file."""
    export = server.add_export(rows=1500, export_id="exp_1", file_format=file_format)
    other = Emulator(populate=False)
    other.add_export(rows=1500, export_id="exp_1")
    csv_rows, records = (expected(other.content("exp_1", name), name) for name in ("csv", "json"))
    assert [row async for row in px.exports.rows(export.id)] == csv_rows
    rows = [row async for row in px.exports.rows(export.id, "json")]
    assert rows == (records[:1] if file_format.json == "record" else records)


@pytest.mark.parametrize(
    ("artifact", "malformed"),
    [
        ("csv", "ragged"),
        ("csv_error", "unclosed_quote"),
        ("csv_sanitized", "latin_1"),
        ("csv", "truncated"),
        ("json", "doubled_comma"),
        ("json", "latin_1"),
        ("json", "truncated"),
    ],
)
async def test_malformed_last_row(artifact: Any, malformed: Any, server: Emulator, px: AsyncPackageX) -> None:
    """The error has the number of the malformed row."""
    export = server.add_export(
        rows=2000, error_rows=2000, sanitized_rows=2000, file_format=FileFormat(malformed=malformed)
    )
    with pytest.raises(MalformedRowError, match=f"artifact {artifact}: row 2000: ") as caught:
        [row async for row in px.exports.rows(export.id, artifact)]
    assert caught.value.row == 2000


@pytest.mark.parametrize("content", [b"", b"id,name\n", b"\n"])
async def test_no_rows(content: bytes, server: Emulator, px: AsyncPackageX) -> None:
    """A file without rows yields no row and no empty list."""
    export = server.add_export(content={"csv": content})
    assert [row async for row in px.exports.rows(export.id)] == []
    assert [batch async for batch in px.exports.row_batches(export.id)] == []


@pytest.mark.usefixtures("limits")
async def test_trap_01_rows_of_interrupted_transfer(server: Emulator) -> None:
    """An interrupted transfer resumes, with a new URL if necessary. No row is missing or repeated."""
    export = server.add_export(rows=3000)
    for fault in (Cut(100_000), Stall(50_000), Cut(30_001), Expired()):
        server.inject(fault)
    async with server.client(retry=NO_BACKOFF, **LIMITED) as px:
        rows = [row async for row in px.exports.rows(export.id)]
    assert rows == expected(server.content(export.id, "csv"), "csv")


@pytest.mark.parametrize(
    ("fault", "kind"), [(Cut(50_000), IncompleteBodyError), (WrongHash(), ChecksumError)]
)
async def test_trap_07_only_the_end_means_verified(fault: Any, kind: Any, server: Emulator) -> None:
    """If the verification fails, rows were yielded before, and the iteration ends with an error."""
    export = server.add_export(rows=3000)
    server.inject(fault, times=None)
    rows: list[Any] = []
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(kind):
            async for row in px.exports.rows(export.id):
                rows.append(row)
    complete = expected(server.content(export.id, "csv"), "csv")
    assert 0 < len(rows) <= len(complete)
    assert rows == complete[: len(rows)]


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_malformed_row(size: int, server: Emulator, px: AsyncPackageX) -> None:
    """The rows before the malformed row are yielded, also in lists that are not full."""
    export = server.add_export(content={"csv": b"id,name\n1,a\n2,b\n3,c\n4 secret\n5,d\n"})
    rows: list[Any] = []
    with pytest.raises(MalformedRowError) as caught:
        async for row in px.exports.rows(export.id):
            rows.append(row["id"])
    assert rows == ["1", "2", "3"]
    assert str(caught.value) == (
        f"export {export.id}, artifact csv: row 4: it has 1 cell, and the header has 2"
    )
    assert (caught.value.row, caught.value.column, caught.value.artifact) == (4, None, "csv")
    batches: list[Any] = []
    with pytest.raises(MalformedRowError):
        async for batch in px.exports.row_batches(export.id, size=size):
            batches.append(batch)
    assert [row["id"] for batch in batches for row in batch] == rows
    assert max(map(len, batches)) <= size


async def test_malformed_record(server: Emulator, px: AsyncPackageX) -> None:
    """A truncated JSON file is an error, even if the storage host declares its length and hash."""
    export = server.add_export(content={"json": b'[{"a": 1}, {"a": 2}'})
    with pytest.raises(
        MalformedRowError, match="artifact json: row 2: it is not valid JSON, or not complete"
    ):
        [row async for row in px.exports.rows(export.id, "json")]


@pytest.mark.parametrize("content", [b"id,id\n1,2\n", b"id,id\n"])
async def test_duplicate_columns(content: bytes, server: Emulator, px: AsyncPackageX) -> None:
    """The warning names the line of the iteration, also if the file has no rows."""
    export = server.add_export(content={"csv": content})
    with pytest.warns(UserWarning, match=f"export {export.id}, artifact csv: .* name: id;") as warned:
        rows = [row async for row in px.exports.rows(export.id)]
    assert rows == ([{"id": "1", "id_2": "2"}] if b"1" in content else [])
    assert [warning.filename for warning in warned] == [__file__]


async def test_arguments_are_checked_at_the_call(px: AsyncPackageX) -> None:
    """Invalid arguments raise an error before the first request."""
    for size in (0, -1, 1.5, True):
        with pytest.raises(ConfigurationError, match="size must be a whole number from 1 up"):
            px.exports.row_batches("exp_1", size=size)  # type: ignore[arg-type]
    for method in (px.exports.rows, px.exports.row_batches):
        with pytest.raises(ConfigurationError, match="not 'xlsx'"):
            method("exp_1", "xlsx")  # type: ignore[arg-type]


async def test_artifact_that_is_not_offered(server: Emulator, px: AsyncPackageX) -> None:
    """The first step of the iteration raises the error that `stream` raises."""
    export = server.add_export(rows=1)
    with pytest.raises(StorageError, match="the export does not offer it"):
        await anext(px.exports.rows(export.id, "csv_error"))


async def test_leaving_early_closes_the_connection(server: Emulator, px: AsyncPackageX) -> None:
    """After an early exit, no request is running, and the client is usable."""
    export = server.add_export(rows=3000)
    async with aclosing(px.exports.rows(export.id)) as rows:
        async for _ in rows:
            break
    async with aclosing(px.exports.row_batches(export.id, size=10)) as batches:
        await anext(batches)
    assert len([row async for row in px.exports.rows(export.id)]) == 3000
    assert len(asyncio.all_tasks()) <= 3


@pytest.mark.parametrize("method", ["rows", "row_batches"])
async def test_closed_client_ends_iteration(method: str, server: Emulator) -> None:
    """After the client was closed, no further block is read, and the iteration ends with an error."""
    export = server.add_export(rows=50_000)
    async with server.client() as px:
        items = getattr(px.exports, method)(export.id)
        await anext(items)
        await px.aclose()
        with pytest.raises(ClientClosedError):
            async for _ in items:
                pass
