"""Manifests and partial metadata with any content: only documented errors, and never a wrong file."""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packagex_async import FileState, verify_directory
from packagex_async._partials.partial_file import PartialFile
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import MAX_LENGTH, parse_metadata
from packagex_async._sync.file_checker import FileChecker
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_snapshot import ManifestSnapshot
from packagex_async.testing import Emulator
from tests.support import NO_BACKOFF, names

LENGTH = 1000
WHOLE = random.Random("metadata").randbytes(LENGTH)
MEMO: dict[str, Any] = {"length": LENGTH, "algorithm": "md5", "machine": "m", "gaps": [[600, LENGTH]]}
ENTRY: dict[str, Any] = {
    "export_id": "exp_1", "artifact": "csv", "path": "a.csv", "size": 5, "sha256": "0" * 64,
    "verified": "checksum", "when": "2024-05-01T12:00:00+00:00", "updated_at": None,
}  # fmt: skip


def entry(**changes: Any) -> ManifestEntry:
    """Return a valid entry of the manifest."""
    fields: dict[str, Any] = ENTRY | changes
    return ManifestEntry(**fields)


numbers = st.integers(-(2**70), 2**70) | st.integers(-5, LENGTH + 5)
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text(st.characters(), max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def changed(original: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return JSON similar to `original`, other JSON, and bytes that are not JSON."""
    fields = st.dictionaries(st.sampled_from([*original, "other"]), values, max_size=3)
    like = st.builds(lambda change: {**original, **change}, fields)
    texts = (like | values).map(lambda value: json.dumps(value).encode())
    cut = texts.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
    return texts | cut | st.binary(max_size=200)


@given(changed(MEMO))
@example(b"[" * 100_000)
@example(b'{"length": ' + b"9" * 5000 + b"}")
def test_partial_metadata_is_valid_or_ignored(text: bytes) -> None:
    """Valid metadata has fields of the right types and text that a header can contain."""
    memo = parse_metadata(text)
    if memo is not None:
        assert 0 <= memo["length"] <= MAX_LENGTH
        assert re.search(r'\\[^"\\]', json.dumps(memo).replace("\\\\", "")) is None
        assert parse_metadata(json.dumps(memo).encode()) == memo


@given(changed(MEMO), st.integers(0, LENGTH + 10), changed({"machine": "m", "pid": 1, "started": "1"}))
def test_partial_file_is_continued_within_its_length(memo: bytes, size: int, claim: bytes) -> None:
    """Metadata never claims bytes that are not in the file. An unusable partial file is removed."""
    with tempfile.TemporaryDirectory() as root:
        target = Path(root) / "a.csv"
        part = Path(root) / ".a.csv.0123456789abcdef-1.part"
        part.write_bytes(bytes(size))
        for ending, text in (("json", memo), ("claim", claim)):
            part.with_name(f"{part.name}.{ending}").write_bytes(text)
        partial = PartialFile.resume(target, target.parent, PartialIndex(), ("sha256",))
        if partial is not None:
            assert partial.written.end <= size <= (partial.length or 0)
            assert all(0 <= start < end for start, end in partial.gaps())
            partial.remove()
            assert names(Path(root)) == []
        elif not claim.strip().startswith(b"{"):
            assert names(Path(root)) == []


lines = st.lists(changed(ENTRY), max_size=6).map(b"\n".join) | st.binary(max_size=300)


@given(lines, st.booleans())
@example(json.dumps(ENTRY | {"path": "\ud800.csv"}).encode(), True)
@example(json.dumps(ENTRY | {"path": "a/\udcff/b.csv"}).encode(), True)
@example(json.dumps(ENTRY | {"path": "a/" * 300_000 + "b"}).encode(), True)
@example(json.dumps(ENTRY | {"path": "x" * 300}).encode(), True)
@example(json.dumps(ENTRY | {"export_id": "\ud800"}).encode(), False)
@example(b"[" * 100_000, True)
@example(b'{"size": ' + b"9" * 5000 + b"}", True)
def test_manifest_with_any_content(text: bytes, has_end: bool) -> None:
    """Valid entries are found, new ones are not lost, and files outside are not read."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "folder"
        folder.mkdir()
        (folder / MANIFEST_NAME).write_bytes(text + b"\n" * has_end)
        (folder / "a.csv").write_bytes(b"bytes")
        checker = FileChecker(folder, lambda _: None)
        with ManifestSnapshot(folder) as snapshot:
            states = {checker.check(one).state for one in snapshot.entries()}
        assert FileState.EXACT not in states
        assert [file.path for file in checker.unlisted_files(lambda _: False)] == ["a.csv"]
        manifest, new = Manifest(folder), entry(export_id="exp_new")
        manifest.find("exp_1", ("csv", "json"))
        manifest.append([new])
        manifest.close()
        again = Manifest(folder)
        assert again.find("exp_new", ("csv",)) == {"csv": new}
        again.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda memo: b"[" * 50_000,
        lambda memo: b"x" * (1 << 20),
        lambda memo: json.dumps(memo | {"length": 10**30}).encode(),
        lambda memo: json.dumps(memo | {"gaps": [[n, n + 1] for n in range(0, 80_000, 2)]}).encode(),
        lambda memo: json.dumps(memo).replace('\\"', '\\"\\r\\nX-Evil: 1', 1).encode(),
    ],
)
async def test_download_restarts_with_unusable_metadata(
    server: Emulator, tmp_path: Path, damage: Callable[[dict[str, Any]], bytes]
) -> None:
    """No header contains foreign data, the file is correct, and no partial file remains."""
    body = os.urandom(100_000)
    export_id = server.add_export(content={"csv": body}).id
    part = tmp_path / f".{export_id}.csv.0123456789abcdef-1.part"
    part.write_bytes(b"x" * 60_000)
    memo = {
        "length": 100_000,
        "algorithm": None,
        "digest": "",
        "identity": {"etag": '"a"', "generation": None, "modified": None},
        "machine": "m",
    }
    part.with_name(f"{part.name}.json").write_bytes(damage(memo))
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == body
    assert names(tmp_path) == [f"{export_id}.csv"]
    assert len([request for request in server.requests if request.host == "storage"]) == 1


async def test_verification_skips_a_huge_line(tmp_path: Path) -> None:
    """The file of the next entry is checked."""
    valid = entry(size=3, path="b.csv")
    (tmp_path / MANIFEST_NAME).write_bytes(
        b'{"export_id":"' + b"x" * (5 << 20) + b"\n" + valid.dump() + b"y" * (2 << 20)
    )
    (tmp_path / "b.csv").write_bytes(b"abc")
    async with aclosing(verify_directory(tmp_path)) as files:
        assert [(file.path, file.state) async for file in files] == [("b.csv", FileState.CHANGED)]
