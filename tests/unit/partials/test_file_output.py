"""Files that are written in order."""

from __future__ import annotations

from pathlib import Path

from packagex_async._partials.file_output import FileOutput


def test_output(tmp_path: Path) -> None:
    """A file appears when it is published, and a discarded file leaves nothing."""
    output = FileOutput(tmp_path / "a" / "b", tmp_path)
    output.discard()
    output.create()
    output.write(b"1")
    assert not (tmp_path / "a" / "b").exists()
    output.publish(overwrite=False, durable=True)
    output.discard()
    assert (tmp_path / "a" / "b").read_bytes() == b"1"
    output = FileOutput(tmp_path / "c", tmp_path)
    output.create()
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
