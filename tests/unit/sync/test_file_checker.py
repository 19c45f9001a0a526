"""Files are compared with entries of the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs
import pytest

from packagex_async import CheckedFile, FileState
from packagex_async._sync.file_checker import FileChecker
from packagex_async._sync.manifest import MANIFEST_NAME
from tests.unit.sync.manifests import ENTRY as BASE

CONTENT = b"a,b\n1,2"
ENTRY = attrs.evolve(BASE, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (CONTENT, FileState.EXACT),
        (CONTENT[::-1], FileState.CHANGED),
        (CONTENT + b"\n", FileState.CHANGED),
        (None, FileState.MISSING),
    ],
)
def test_length_and_hash_are_compared(tmp_path: Path, content: bytes | None, state: FileState) -> None:
    """The result has the data of the entry and of the file, and all bytes are reported."""
    counts: list[int] = []
    if content is not None:
        (tmp_path / "exp_1.csv").write_bytes(content)
    assert FileChecker(tmp_path, counts.append).check(ENTRY) == CheckedFile(
        path="exp_1.csv",
        state=state,
        export_id="exp_1",
        artifact="csv",
        size=None if content is None else len(content),
        expected_size=len(CONTENT),
    )
    assert sum(counts) == len(content or b"")


@pytest.mark.parametrize("path", ["../exp_1.csv", "/exp_1.csv", "a/../exp_1.csv", "", "a\\b", "x" * 5000])
def test_unsafe_paths_are_outside(tmp_path: Path, path: str) -> None:
    """The file is not opened."""
    checker = FileChecker(tmp_path, lambda _: pytest.fail("a file was read"))
    assert checker.check(attrs.evolve(ENTRY, path=path)).state is FileState.OUTSIDE


def test_exception_in_on_read_ends_the_check(tmp_path: Path) -> None:
    """It is raised unchanged."""
    (tmp_path / "exp_1.csv").write_bytes(CONTENT)

    def fail(_: int) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        FileChecker(tmp_path, fail).check(ENTRY)


def test_unlisted_files(tmp_path: Path) -> None:
    """Listed files, hidden files and the manifest are skipped; the order is stable."""
    for name in ("b.csv", "a.csv", "listed.csv", ".hidden", MANIFEST_NAME, "sub/c.csv", "sub/listed.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = FileChecker(tmp_path, lambda _: None).unlisted_files(
        {"listed.csv", "sub/listed.csv"}.__contains__
    )
    assert [file.path for file in files] == ["a.csv", "b.csv", "sub/c.csv"]
