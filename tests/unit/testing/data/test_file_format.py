"""Generated files in every format, and with every error in the last row."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Literal

import pytest

from packagex_async.testing import FileFormat

RECORDS = [{"id": "1", "name": "a\nb", "n": 1}, {"id": "2", "name": "é, ü", "n": 2}]
CELLS = [list(map(str, record.values())) for record in RECORDS]

Malformed = Literal["ragged", "unclosed_quote", "doubled_comma", "latin_1", "truncated"]


def csv_file(**options: Any) -> bytes:
    return FileFormat(**options).write_csv(("id", "name", "n"), [tuple(r.values()) for r in RECORDS])


def json_file(**options: Any) -> bytes:
    return FileFormat(indent=None, **options).write_json(iter(RECORDS))


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("mark", [False, True])
def test_csv(line_break: Any, mark: bool) -> None:
    """Each line ends with the line break; cells are not changed."""
    content = csv_file(line_break=line_break, byte_order_mark=mark)
    assert content.startswith(b"\xef\xbb\xbf") == mark
    text = content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [["id", "name", "n"], *CELLS]
    assert text.count(line_break) == (4 if line_break == "\n" else 3)


def test_json_shapes() -> None:
    """Each shape has all records, except `record`, which has the first one."""
    assert json.loads(json_file()) == RECORDS
    envelope = json.loads(json_file(json="envelope"))
    assert (envelope["data"], len(envelope)) == (RECORDS, 3)
    lines = json_file(json="lines", line_break="\n").decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == RECORDS
    assert lines[-1] == ""
    assert json.loads(json_file(json="record")) == RECORDS[0]
    assert json_file(byte_order_mark=True).startswith(b"\xef\xbb\xbf[")
    assert json.loads(FileFormat(indent=2).write_json(RECORDS)) == RECORDS


def test_no_rows() -> None:
    """Files without rows are valid."""
    kinds: tuple[Malformed | None, ...] = (None, "ragged", "truncated")
    for malformed in kinds:
        file_format = FileFormat(malformed=malformed)
        assert file_format.write_csv(["id"], []) == b"id\r\n"
        assert file_format.write_json([]) == b"[]"


@pytest.mark.parametrize(
    ("malformed", "ending"),
    [
        ("ragged", '2,"é, ü"\r\n'.encode()),
        ("unclosed_quote", '2,"é, ü","2\r\n'.encode()),
        ("latin_1", b'2,"\xe9, \xfc",Zo\xeb\r\n'),
        ("truncated", b'2,"\xc3\xa9, '),
        ("doubled_comma", '2,"é, ü",2\r\n'.encode()),
    ],
)
def test_malformed_csv(malformed: Malformed, ending: bytes) -> None:
    """Only the last row is malformed."""
    assert csv_file(malformed=malformed) == b'id,name,n\r\n1,"a\nb",1\r\n' + ending


@pytest.mark.parametrize(
    ("malformed", "ending"),
    [
        ("doubled_comma", ',,{"id":"2","name":"é, ü","n":2}]'.encode()),
        ("latin_1", b',{"id": "2", "name": "Zo\xeb", "n": 2}]'),
        ("truncated", b',{"id":"2","name'),
        ("ragged", ',{"id":"2","name":"é, ü","n":2}]'.encode()),
    ],
)
def test_malformed_json(malformed: Malformed, ending: bytes) -> None:
    """Only the last record is malformed."""
    assert json_file(malformed=malformed) == b'[{"id":"1","name":"a\\nb","n":1}' + ending


def test_json_lines_have_no_commas() -> None:
    """`doubled_comma` does not change JSON lines, which have no commas between records."""
    assert json_file(json="lines", malformed="doubled_comma") == json_file(json="lines")
