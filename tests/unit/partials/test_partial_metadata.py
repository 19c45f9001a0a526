"""Metadata of a partial file is used only if all of it is valid."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from packagex_async._partials import partial_metadata
from packagex_async._partials.partial_metadata import (
    MAX_GAPS,
    MAX_SIZE,
    boot_id,
    load_metadata,
    save_metadata,
)
from packagex_async._partials.partial_names import sidecar
from tests.support import names
from tests.unit.partials.helpers import METADATA, make_partial, resume

GAPS = [[start, start + 1] for start in range(0, 4 * MAX_GAPS, 2)]
INVALID_TEXTS = {
    "empty": b"",
    "truncated": b"{",
    "list": b"[]",
    "null": b"null",
    "fields missing": b'{"length": 1}',
    "not UTF-8": b"\xff\xfe\0",
    "deeply nested": b"[" * 60_000,
    "too many digits": b'{"length": ' + b"9" * 5000 + b"}",
}
INVALID_FIELDS: dict[str, dict[str, Any]] = {
    "negative length": {"length": -1},
    "huge length": {"length": 2**63},
    "length is true": {"length": True},
    "length is a fraction": {"length": 1.5},
    "algorithm is a list": {"algorithm": ["md5"]},
    "machine is a number": {"machine": 5},
    "line break": {"identity": {"etag": '"a"\r\nX-Evil: 1'}},
    "control character": {"validators": [{"etag": '"\x1b"'}]},
    "lone surrogate": {"identity": {"etag": '"\ud800"'}},
    "not ASCII": {"media_type": "text/ä"},
    "key with a line break": {"a\nb": 1},
    "gaps are text": {"gaps": "ab"},
    "a gap is a number": {"gaps": [5]},
    "a gap of three": {"gaps": [[1, 2, 3]]},
    "a gap of text": {"gaps": [["1", "2"]]},
    "many gaps": {"gaps": GAPS[: MAX_GAPS + 1]},
    "large": {"note": "x" * MAX_SIZE},
}


@pytest.mark.parametrize("name", [*INVALID_TEXTS, *INVALID_FIELDS, "duplicate keys"])
def test_trap_03_invalid_metadata_is_removed_with_its_partial_file(tmp_path: Path, name: str) -> None:
    """It blocks no later run."""
    path = sidecar(make_partial(tmp_path), "json")
    if name in INVALID_TEXTS:
        path.write_bytes(INVALID_TEXTS[name])
    elif name in INVALID_FIELDS:
        path.write_text(json.dumps(json.loads(path.read_text()) | INVALID_FIELDS[name]))
    else:
        path.write_text('{"length": 5, ' + path.read_text()[1:])
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


def test_metadata_of_the_maximum_size_is_valid(tmp_path: Path) -> None:
    """The limits themselves are allowed."""
    partial = make_partial(tmp_path)
    path = sidecar(partial, "json")
    metadata = json.loads(path.read_text()) | {"gaps": GAPS[:MAX_GAPS], "note": ""}
    metadata["note"] = "x" * (MAX_SIZE - len(json.dumps(metadata)))
    path.write_text(json.dumps(metadata))
    assert load_metadata(partial) == metadata


def test_a_link_in_place_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    """Even if it appears while the partial file is in use."""
    partial = make_partial(tmp_path)
    (tmp_path / "elsewhere").write_text("theirs")
    sidecar(partial, "draft").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a symbolic link"):
        save_metadata(partial, METADATA)
    assert (tmp_path / "elsewhere").read_text() == "theirs"


@pytest.mark.parametrize(("algorithm", "is_resumable"), [("md5", True), (None, False)])
def test_after_a_reboot_only_a_partial_file_with_a_hash_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str | None, is_resumable: bool
) -> None:
    """A power failure may leave zeros at the end of a file."""
    partial = make_partial(tmp_path)
    save_metadata(partial, METADATA | {"algorithm": algorithm})
    assert load_metadata(partial) is not None
    monkeypatch.setattr(partial_metadata, "boot_id", lambda: "rebooted")
    assert (load_metadata(partial) is not None) == is_resumable


@pytest.mark.parametrize(
    "error", [FileNotFoundError, PermissionError, UnicodeDecodeError("ascii", b"", 0, 0, "")]
)
def test_without_a_boot_id_the_name_of_the_machine_is_used(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The name is converted to ASCII."""

    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(platform, "node", lambda: "büro")
    assert boot_id.__wrapped__() == r"'b\xfcro'"
