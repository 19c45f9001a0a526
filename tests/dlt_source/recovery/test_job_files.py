"""The rows in the files of load jobs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("dlt")

import pyarrow.csv  # noqa: E402
import pyarrow.parquet  # noqa: E402

from packagex_async.integrations.dlt.names import EXPORT_ID, EXPORT_ROW  # noqa: E402
from packagex_async.integrations.dlt.recovery.job_files import read_export_rows  # noqa: E402

NAMES = (EXPORT_ID, EXPORT_ROW)
TABLE = pa.table(
    {"name": ["a\nb", 'it"s', ""], EXPORT_ID: ["exp_1", "exp_1", "exp_2"], EXPORT_ROW: [7, 8, 1]}
)
INSERT = (
    'INSERT INTO {}("name","_export_id","_export_row","weight")\nVALUES\n'
    "(E'it''s \\'(1)\\', a',E'exp_1',7,NULL),\n(E'''',E'exp_1',8,-1.5),\n(N'',N'exp_2',1,TRUE);"
)


def write_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(TABLE, path)


def write_csv(path: Path) -> None:
    with gzip.open(path, "wb") as file:
        pyarrow.csv.write_csv(TABLE, file)


def write_jsonl(path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in TABLE.to_pylist()))


def write_insert_values(path: Path) -> None:
    path.write_text(INSERT)


@pytest.mark.parametrize(
    ("file_format", "write"),
    [
        ("parquet", write_parquet),
        ("csv", write_csv),
        ("jsonl", write_jsonl),
        ("insert_values", write_insert_values),
    ],
)
def test_rows_of_each_export(tmp_path: Path, file_format: str, write: Callable[[Path], None]) -> None:
    """The rows of each export are found, whatever other columns contain."""
    path = tmp_path / "contact.1.0.file"
    write(path)
    rows = read_export_rows(str(path), file_format, NAMES)
    assert rows == [("exp_1", 7, 8, 2), ("exp_2", 1, 1, 1)]


@pytest.mark.parametrize(
    "text",
    [
        INSERT.replace("-1.5", "CAST('1' AS FLOAT)"),
        INSERT.replace("exp_2", "exp 2"),
        INSERT.replace("_export_row", "row"),
    ],
)
def test_unexpected_statements(tmp_path: Path, text: str) -> None:
    """A file whose literals are not those of the columns is an error."""
    path = tmp_path / "contact.1.0.insert_values"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"literal|not in list"):
        read_export_rows(str(path), "insert_values", NAMES)


def test_unknown_format(tmp_path: Path) -> None:
    """A format that is not known is an error."""
    with pytest.raises(ValueError, match="sql"):
        read_export_rows(str(tmp_path / "contact.1.0.sql"), "sql", NAMES)
