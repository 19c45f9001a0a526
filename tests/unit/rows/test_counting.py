"""Rows are counted with the rules of the decoders."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from packagex_async import Artifact, MalformedRowError
from packagex_async._files.operations import open_file
from packagex_async._rows.counting import FileCounter


def count_rows(path: Path, artifact: Artifact) -> int:
    """Count the rows of a file in as many steps as it needs."""
    with closing(FileCounter(lambda: open_file(path), artifact, export_id="exp_1")) as counter:
        while not counter.step():
            pass
        return counter.count


@pytest.mark.parametrize(
    ("artifact", "content", "count"),
    [
        (Artifact.CSV, b"", 0),
        (Artifact.CSV, b"a,b\n", 0),
        (Artifact.CSV_ERROR, b'a,b\n\n1,"2\n3"\n\n4,5', 2),
        (Artifact.CSV, b"a,b\n" + b"1,2\n" * 100_000, 100_000),
        (Artifact.JSON, b"", 0),
        (Artifact.JSON, b"{}", 1),
        (Artifact.JSON, b'{"data": [1, 2]}', 2),
        (Artifact.JSON, b'{"a": 1}\n{"a": 2}\n{"a": 3}', 3),
        (Artifact.JSON, b"[%b]" % b",".join([b'{"id":1}'] * 100_000), 100_000),
    ],
)
def test_count(artifact: Artifact, content: bytes, count: int, tmp_path: Path) -> None:
    """The header and blank lines do not count."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert count_rows(path, artifact) == count


def test_malformed_row(tmp_path: Path) -> None:
    """The error names the row, and the rest of the file is not read."""
    path = tmp_path / "file"
    path.write_bytes(b"a\n1\n2,3\n" + b'"\n' * 200_000)
    with pytest.raises(
        MalformedRowError, match="export exp_1, artifact csv: row 2: it has 2 cells, and"
    ) as caught:
        count_rows(path, Artifact.CSV)
    assert caught.value.row == 2
