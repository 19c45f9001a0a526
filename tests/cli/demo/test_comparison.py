"""The comparison of downloaded files with the artifacts of the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import Artifact, DownloadedFile
from packagex_async.cli.demo.comparison import ComparedArtifact, print_comparison


@pytest.mark.parametrize(("content", "text"), [(b"a,b\n", "equal"), (b"a,c\n", "NOT EQUAL")])
def test_every_byte_is_compared(
    content: bytes, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with the same length and another content is not equal."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    file = DownloadedFile(artifact=Artifact.CSV, path=path, size=4, verified="checksum", attempts=3)
    print_comparison([ComparedArtifact("exp_1", "csv", b"a,b\n", ["reset", "timeout"], file)])
    heading, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert heading == ["export", "artifact", "size", "attempts", "verified by", "bytes", "reason for retry"]
    assert row == ["exp_1", "csv", "4", "3", "checksum", text, "reset; timeout"]


def test_missing_file_is_not_equal(capsys: pytest.CaptureFixture[str]) -> None:
    """Its download failed."""
    artifact = ComparedArtifact("exp_1", "csv", b"", [], None)
    assert not artifact.is_equal
    print_comparison([artifact])
    assert capsys.readouterr().out.splitlines()[1] == "exp_1\tcsv\t0\t\t\tNOT EQUAL\t"
