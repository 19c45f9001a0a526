"""Downloads in the format `parquet`: paths, kept files, types, and the manifest."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DownloadGroupError,
    DownloadReport,
    FileState,
    MalformedRowError,
    RetryPolicy,
    verify_directory,
)
from packagex_async._download.options import ColumnFindings
from packagex_async._parquet.requested import parse_format
from packagex_async.testing import Emulator, Status

CSV = b'id,city,weight\r\n1,"Boston,\r\nMA",5\r\n2,LA,\r\n'
ROWS = [{"id": "1", "city": "Boston,\r\nMA", "weight": "5"}, {"id": "2", "city": "LA", "weight": ""}]


async def download_all(px: AsyncPackageX, directory: Path, **options: Any) -> list[DownloadReport]:
    async with aclosing(px.exports.download_all(directory, **options)) as reports:
        return [report async for report in reports]


async def test_csv_artifacts_become_parquet_files(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """JSON stays JSON. The report describes the Parquet file, and the metadata of the file describes its
    source."""
    export = server.add_export(
        resource="contact",
        content={"json": b"[]", "csv": CSV, "csv_error": b"", "csv_sanitized": b"id,name\n"},
    )
    report = await px.exports.download(export.id, tmp_path, format="parquet")
    names = ("json", "parquet", "error.parquet", "sanitized.parquet")
    assert [file.path.name for file in report.files] == [f"{export.id}.{name}" for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{export.id}.{name}" for name in names)
    file = report.files["csv"]
    content = file.path.read_bytes()
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [found.rows for found in report.files] == [None, 2, 0, 0]
    assert pq.read_table(file.path).to_pylist() == ROWS
    assert pq.read_table(report.files["csv_error"].path).num_rows == 0
    assert pq.read_schema(report.files["csv_sanitized"].path).names == ["id", "name"]
    metadata = pq.read_metadata(file.path).metadata
    assert metadata[b"packagex.export_id"] == export.id.encode()
    assert metadata[b"packagex.resource"] == b"contact"
    assert metadata[b"packagex.created_at"].startswith(b"20")
    assert metadata[b"packagex.source_sha256"] == hashlib.sha256(CSV).hexdigest().encode()
    assert file.source_sha256 == hashlib.sha256(CSV).hexdigest()
    assert report.files["json"].sha256 is None
    again = await px.exports.download(export.id, tmp_path, format="parquet")
    assert [found.kept for found in again.files] == [True] * 4
    assert again.files["csv"].rows == 2
    assert again.files["csv"].sha256 == file.sha256
    assert again.files["csv"].source_sha256 == file.source_sha256


async def test_second_run_fetches_nothing(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The manifest has both the CSV and the Parquet file of an export, and a second run keeps them."""
    export = server.add_export(content={"csv": CSV})
    await download_all(px, tmp_path)
    (report,) = await download_all(px, tmp_path, format="parquet")
    assert report.files["csv"].rows == 2
    requests = [request.host for request in server.requests].count("storage")
    for options, name in (({}, "csv"), ({"format": "parquet"}, "parquet")):
        (report,) = await download_all(px, tmp_path, **options)
        assert report.files["csv"].kept
        assert report.files["csv"].path == tmp_path / f"{export.id}.{name}"
    assert report.files["csv"].rows == 2
    assert [request.host for request in server.requests].count("storage") == requests
    states = [(file.path, file.state) async for file in verify_directory(tmp_path)]
    assert sorted(states) == [
        (f"{export.id}.csv", FileState.EXACT),
        (f"{export.id}.parquet", FileState.EXACT),
    ]


@pytest.mark.parametrize(
    ("content", "types", "expected"),
    [
        (b"id,name\n1,a\n2,SECRET,b\n", None, "row 2: it has 3 cells, and the header has 2"),
        (b'id,name\n1,"SECRET\n', None, "row 1: a quoted cell is not closed before the end of the file"),
        (b"id,name\n1,a\nSECRET,b\n", {"id": "int64"}, "row 2, column 'id': it is not a value of int64"),
        (b"id,name\n1,a\nNA,b\n", {"id": "int64"}, "row 2, column 'id': it is not a value of int64"),
        (b"id,name\n1,\xff\n", None, "row 1: it is not text in UTF-8"),
    ],
)
async def test_malformed_row(
    server: Emulator,
    px: AsyncPackageX,
    tmp_path: Path,
    content: bytes,
    types: dict[str, str] | None,
    expected: str,
) -> None:
    """A malformed row is a failure of its artifact. The error has no contents, and no file is published."""
    export = server.add_export(content={"csv": content})
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export.id, tmp_path, format="parquet", types=types)
    (failure,) = caught.value.report.failures
    assert isinstance(failure, MalformedRowError)
    assert str(failure) == f"export {export.id}, artifact csv: {expected}"
    assert failure.__cause__ is None
    assert failure.__context__ is None
    assert list(tmp_path.iterdir()) == []


async def test_types(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """An empty cell is null. A file with other types is not kept."""
    export = server.add_export(content={"csv": CSV})
    types = {"weight": pa.int32(), "id": "decimal128(10, 2)"}
    report = await px.exports.download(export.id, tmp_path, format="parquet", types=types)
    table = pq.read_table(report.files["csv"].path)
    assert table.schema.types == [pa.decimal128(10, 2), pa.string(), pa.int32()]
    assert table["weight"].to_pylist() == [5, None]
    with pytest.raises(DownloadGroupError, match="1 artifact failed"):
        await px.exports.download(export.id, tmp_path, format="parquet")
    assert (await px.exports.download(export.id, tmp_path, format="parquet", types=types)).files["csv"].kept
    (report,) = await download_all(px, tmp_path, format="parquet", types=types, overwrite=True)
    assert not report.files["csv"].kept
    (report,) = await download_all(px, tmp_path, format="parquet", types=types)
    assert report.files["csv"].kept
    (report,) = await download_all(px, tmp_path, format="parquet", types={"id": "int64"})
    assert not report.files["csv"].kept
    (report,) = await download_all(px, tmp_path, format="parquet")
    assert not report.files["csv"].kept
    with pytest.raises(ConfigurationError, match="types: no artifact has the column 'wieght'"):
        await download_all(px, tmp_path, format="parquet", types={"wieght": "int64"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"types": {"id": "int64"}}, 'types needs format="parquet"'),
        ({"format": "csv"}, "format must be 'parquet' or None"),
        ({"format": "parquet", "types": {"id": "integer"}}, "the type of column 'id' must be"),
        ({"format": "parquet", "types": {"id": pa.list_(pa.int8())}}, "text cannot be converted to it"),
        ({"format": "parquet", "types": ["id"]}, "types must map names of columns"),
    ],
)
async def test_invalid_parameters(
    px: AsyncPackageX, tmp_path: Path, options: dict[str, Any], expected: str
) -> None:
    """Invalid parameters raise an error at the call."""
    with pytest.raises(ConfigurationError, match=expected):
        await px.exports.download("exp_1", tmp_path, **options)
    with pytest.raises(ConfigurationError, match=expected):
        px.exports.download_all(tmp_path, **options)
    with pytest.raises(ConfigurationError, match=expected):
        await px.exports.export_and_download("contact", tmp_path, **options)


async def test_column_of_a_malformed_artifact(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """It exists, so that its cells are the only error."""
    server.add_export(content={"csv": b"id,weight\n1,heavy\n"})
    server.add_export(content={"csv": b"id\n1\n"})
    reports = await download_all(px, tmp_path, format="parquet", types={"weight": "int64"})
    failures = [failure for report in reports for failure in report.failures]
    assert [type(failure) for failure in failures] == [MalformedRowError]
    with pytest.raises(ConfigurationError, match="no artifact has the column 'width'"):
        await download_all(px, tmp_path, format="parquet", types={"width": "int64"}, overwrite=True)


async def test_columns_of_an_artifact_that_is_not_received(server: Emulator, tmp_path: Path) -> None:
    """They are unknown, so that a column may exist there."""
    export = server.add_export(content={"csv": b"id,weight\n1,2\n"})
    server.add_export(content={"csv": b"id\n1\n"})
    server.inject(Status(403, on="storage", export_id=export.id), times=None)
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        reports = await download_all(px, tmp_path, format="parquet", types={"weight": "int64"})
    assert sorted(report.ok for report in reports) == [False, True]


async def test_columns_of_several_calls(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The columns that one call has found count for another, also its duplicates and unknown columns."""
    file_format = parse_format("parquet", {"weight": "int64"})
    assert file_format is not None
    call = file_format.new_call()
    assert call.findings() == ([], False, False, [])
    duplicates = [(["city"], "exp_1", Artifact.CSV)]
    file_format.add_findings(ColumnFindings(["id"], True, False, duplicates))
    with pytest.warns(UserWarning, match="city"):
        file_format.warn()
    with pytest.raises(ConfigurationError, match="no artifact has the column 'weight'"):
        file_format.check_columns()
    file_format.add_findings(ColumnFindings([], True, True, []))
    file_format.check_columns()
    assert file_format.findings() == (["id"], True, True, [])
