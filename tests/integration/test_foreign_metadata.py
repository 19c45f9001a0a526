"""Whatever a file on the disk holds: no exception but ours, and never a wrong file."""

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
from packagex_async._partials.partial_metadata import MAX_LENGTH, parse_memo
from packagex_async._sync.file_checker import FileChecker
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_snapshot import ManifestSnapshot
from packagex_async.testing import Emulator
from tests.support import AT_ONCE, names

LENGTH = 1000
WHOLE = random.Random("metadata").randbytes(LENGTH)
MEMO: dict[str, Any] = {"length": LENGTH, "algorithm": "md5", "machine": "m", "gaps": [[600, LENGTH]]}
LINE: dict[str, Any] = {
    "export_id": "exp_1", "artifact": "csv", "path": "a.csv", "size": 5, "sha256": "0" * 64,
    "verified": "checksum", "when": "2024-05-01T12:00:00+00:00", "updated_at": None,
}  # fmt: skip


def line(**changes: Any) -> ManifestEntry:
    """A good line of the manifest."""
    fields: dict[str, Any] = LINE | changes
    return ManifestEntry(**fields)


numbers = st.integers(-(2**70), 2**70) | st.integers(-5, LENGTH + 5)
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text(st.characters(), max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def changed(original: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """JSON that is like `original`, but for some fields; other JSON, and bytes that are none."""
    fields = st.dictionaries(st.sampled_from([*original, "other"]), values, max_size=3)
    like = st.builds(lambda change: {**original, **change}, fields)
    texts = (like | values).map(lambda value: json.dumps(value).encode())
    cut = texts.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
    return texts | cut | st.binary(max_size=200)


@given(changed(MEMO))
@example(b"[" * 100_000)
@example(b'{"length": ' + b"9" * 5000 + b"}")
def test_metadata_is_usable_or_none(text: bytes) -> None:
    """What is usable has the fields of the right types, and text that a header can hold."""
    memo = parse_memo(text)
    if memo is not None:
        assert 0 <= memo["length"] <= MAX_LENGTH
        assert re.search(r'\\[^"\\]', json.dumps(memo).replace("\\\\", "")) is None
        assert parse_memo(json.dumps(memo).encode()) == memo


@given(changed(MEMO), st.integers(0, LENGTH + 10), changed({"machine": "m", "pid": 1, "started": "1"}))
def test_a_partial_is_continued_within_its_bounds_or_not_at_all(memo: bytes, size: int, claim: bytes) -> None:
    """What it calls written is in the file, and nothing is left of one that cannot be used."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "a.csv"
        part = Path(place) / ".a.csv.0123456789abcdef-1.part"
        part.write_bytes(bytes(size))
        for ending, text in (("json", memo), ("claim", claim)):
            part.with_name(f"{part.name}.{ending}").write_bytes(text)
        partial = PartialFile.taken_up(target, target.parent, PartialIndex(), ("sha256",))
        if partial is not None:
            assert partial.written.end <= size <= (partial.length or 0)
            assert all(0 <= start < end for start, end in partial.gaps())
            partial.remove()
            assert names(Path(place)) == []
        elif not claim.strip().startswith(b"{"):
            assert names(Path(place)) == []


lines = st.lists(changed(LINE), max_size=6).map(b"\n".join) | st.binary(max_size=300)


@given(lines, st.booleans())
@example(json.dumps(LINE | {"path": "\ud800.csv"}).encode(), True)
@example(json.dumps(LINE | {"path": "a/\udcff/b.csv"}).encode(), True)
@example(json.dumps(LINE | {"path": "a/" * 300_000 + "b"}).encode(), True)
@example(json.dumps(LINE | {"path": "x" * 300}).encode(), True)
@example(json.dumps(LINE | {"export_id": "\ud800"}).encode(), False)
@example(b"[" * 100_000, True)
@example(b'{"size": ' + b"9" * 5000 + b"}", True)
def test_a_manifest_of_anything_is_read_appended_to_and_verified(text: bytes, has_end: bool) -> None:
    """What is good in it is found, a new line is not lost, and nothing outside counts as ours."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folder"
        folder.mkdir()
        (folder / MANIFEST_NAME).write_bytes(text + b"\n" * has_end)
        (folder / "a.csv").write_bytes(b"bytes")
        checker = FileChecker(folder, lambda _: None)
        with ManifestSnapshot(folder) as snapshot:
            states = {checker.check(entry).state for entry in snapshot.entries()}
        assert FileState.EXACT not in states
        assert [file.path for file in checker.unlisted_files(lambda _: False)] == ["a.csv"]
        manifest, new = Manifest(folder), line(export_id="exp_new")
        manifest.find("exp_1", ("csv", "json"))
        manifest.append([new])
        manifest.close()
        again = Manifest(folder)
        assert again.find("exp_new", ("csv",)) == {"csv": new}
        again.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda memo: b"[" * 50_000,
        lambda memo: b"x" * (1 << 20),
        lambda memo: json.dumps(memo | {"length": 10**30}).encode(),
        lambda memo: json.dumps(memo | {"gaps": [[n, n + 1] for n in range(0, 80_000, 2)]}).encode(),
        lambda memo: json.dumps(memo).replace('\\"', '\\"\\r\\nX-Evil: 1', 1).encode(),
    ],
)
async def test_a_download_begins_anew_where_the_metadata_cannot_be_used(
    server: Emulator, tmp_path: Path, spoil: Callable[[dict[str, Any]], bytes]
) -> None:
    """The file is the object, no request has a header of somebody else, and nothing is left."""
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
    part.with_name(f"{part.name}.json").write_bytes(spoil(memo))
    async with server.client(retry=AT_ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == body
    assert names(tmp_path) == [f"{export_id}.csv"]
    assert len([request for request in server.requests if request.host == "storage"]) == 1


async def test_a_huge_manifest_line_does_not_stop_a_verification(tmp_path: Path) -> None:
    """It is passed over; the file that the next line names is checked."""
    good = line(size=3, path="b.csv")
    (tmp_path / MANIFEST_NAME).write_bytes(
        b'{"export_id":"' + b"x" * (5 << 20) + b"\n" + good.dump() + b"y" * (2 << 20)
    )
    (tmp_path / "b.csv").write_bytes(b"abc")
    async with aclosing(verify_directory(tmp_path)) as files:
        assert [(file.path, file.state) async for file in files] == [("b.csv", FileState.CHANGED)]
