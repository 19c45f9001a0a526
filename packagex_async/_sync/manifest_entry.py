"""One line of the manifest: an artifact and its file, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs

from packagex_async._files.line_reader import MAX_LINE_SIZE
from packagex_async._files.operations import FileDigest

MIN_LINE_SIZE = 100
"""Bytes of the shortest entry. Shorter lines are skipped."""


# Not frozen: a frozen one takes twice as long to create (2 us), and a run creates one for each known file.
@attrs.define(kw_only=True, repr=False)
class ManifestEntry:
    """An artifact that was downloaded, or that its export does not offer. It contains no URL.

    The attributes are also the keys of the JSON object.

    Attributes:
        export_id: Id of the export.
        artifact: Name of the artifact.
        path: Path relative to the directory, with `/` as separator; `None` if the export does not offer the
            artifact.
        size: Length of the file in bytes.
        sha256: SHA-256 of the file in hexadecimal.
        verified: The kind of verification (see `DownloadedFile`).
        when: Time of the download, ISO 8601 in UTC.
        updated_at: `updated_at` of the export, ISO 8601 in UTC.
        rows: Number of rows, if known.
        format: `"parquet"` for a Parquet file that was written from the artifact.
        source_sha256: SHA-256 of that artifact in hexadecimal.
        types: The types of columns that were requested for a Parquet file.
        e_tag: The entity tag of an object in a bucket.

    The JSON object has the last five keys only if they have a value.
    """

    export_id: str
    artifact: str
    path: str | None = None
    size: int | None = None
    sha256: str | None = None
    verified: str | None = None
    when: str
    updated_at: str | None
    rows: int | None = None
    format: str | None = None
    source_sha256: str | None = None
    types: dict[str, str] | None = None
    e_tag: str | None = None

    def dump(self) -> bytes:
        """Return the line, including its line break."""
        return _ENCODER.encode(self.to_json()).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        values = {name: getattr(self, name) for name in _FIELDS}
        values |= {name: value for name in _OPTIONAL_FIELDS if (value := getattr(self, name)) is not None}
        return values

    @classmethod
    def parse(cls, text: bytes) -> ManifestEntry | None:
        """Parse a line; return `None` if it is not a valid entry."""
        # Each byte is one character, so that the result is the text of any line in ASCII.
        if (match := _patterns().entry.fullmatch(text.decode("latin-1"))) is not None:
            return cls._from_match(match)
        if not text.startswith(b"{"):
            return None
        try:
            return cls.from_json(json.loads(text))
        except (ValueError, RecursionError):
            return None

    @classmethod
    def from_json(cls, values: Any) -> ManifestEntry | None:
        """Return the entry for a JSON object, or `None` if it is not a valid entry."""
        try:
            optional = {name: values.get(name) for name in _OPTIONAL_FIELDS}
            entry = cls(**{name: values[name] for name in _FIELDS}, **optional)
        except (AttributeError, KeyError, TypeError):
            return None
        return entry if entry._is_valid() else None

    @classmethod
    def _from_match(cls, match: re.Match[str]) -> ManifestEntry:
        export_id, artifact, path, size, sha256, verified, when, updated_at = match.groups()
        return cls(
            export_id=export_id,
            artifact=artifact,
            path=path,
            size=None if size is None else int(size),
            sha256=sha256,
            verified=verified,
            when=when,
            updated_at=updated_at,
        )

    def matches(self, file: FileDigest) -> bool:
        """Return whether a file has the length and the SHA-256 of this entry."""
        return file.size == self.size and file.digests["sha256"].hex() == self.sha256

    def _is_valid(self) -> bool:
        # The values of a file are all there, or all missing.
        types = type(self.path), type(self.size), type(self.sha256), type(self.verified)
        return (
            types in (_NO_FILE, _FILE)
            and type(self.export_id) is type(self.artifact) is type(self.when) is str
            and type(self.updated_at) in (str, type(None))
            and 0 <= (self.size or 0) <= _MAX_SIZE
            and type(self.rows) in (int, type(None))
            and 0 <= (self.rows or 0) <= _MAX_SIZE
            and type(self.format) in (str, type(None))
            and type(self.source_sha256) in (str, type(None))
            and type(self.types) in (dict, type(None))
            and type(self.e_tag) in (str, type(None))
            and self.verified in _VERIFIED
            and (self.sha256 is None or re.fullmatch(_SHA256, self.sha256) is not None)
        )


def entry_key(export_id: str, artifact: str, file_format: str | None) -> int:
    """Return the key of a file in an index of entries; different files can have the same key."""
    return hash((export_id, artifact, file_format))


def entry_keys(lines: bytes) -> Iterator[tuple[int, int]]:
    """Yield the position and the key of each valid entry in consecutive complete lines."""
    for line in _patterns().line.finditer(lines.decode("latin-1")):
        export_id, artifact = line.group(1, 2)
        if export_id is not None:
            yield line.start(), entry_key(export_id, artifact, None)
        elif (entry := ManifestEntry.parse(lines[line.start() : line.end()])) is not None:
            yield line.start(), entry_key(entry.export_id, entry.artifact, entry.format)


def parse_entries(lines: bytes) -> Iterator[tuple[int, ManifestEntry]]:
    """Yield the position and the content of each valid entry in consecutive complete lines."""
    for line in _patterns().line.finditer(lines.decode("latin-1")):
        if (entry := ManifestEntry.parse(lines[line.start() : line.end()])) is not None:
            yield line.start(), entry


@attrs.frozen
class _Patterns:
    """Regular expressions for lines.

    Attributes:
        entry: A valid entry as `dump` writes it, without optional fields and escapes. Matching it takes a
            third of the time of `json.loads` and the checks of all values.
        line: A line that may be an entry: such an entry, or any other line of that length.
    """

    entry: re.Pattern[str]
    line: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    # Compiled at the first use, because that takes longer than importing this module.
    entry = _ENTRY.replace("\n", "").replace("TEXT", _TEXT)
    line = rf"(?m)^(?:{entry}|[^\n]{{{MIN_LINE_SIZE},{MAX_LINE_SIZE}}}+)$"
    return _Patterns(re.compile(entry), re.compile(line))


_TEXT = r"[ !#-\[\]-~]"
"""A printable ASCII character that JSON does not escape."""

_ENTRY = r"""
\{"export_id":"(TEXT{0,200})","artifact":"(TEXT{0,50})",
"path":(?:
"(TEXT{0,1000})","size":(0|[1-9][0-9]{0,17}),"sha256":"([0-9a-f]{64})","verified":"(checksum|length|none)"
|null,"size":null,"sha256":null,"verified":null
),"when":"(TEXT{0,50})","updated_at":(?:"(TEXT{0,50})"|null)\}
"""

# `json.dumps` would create an encoder for each entry.
_ENCODER = json.JSONEncoder(separators=(",", ":"))

_OPTIONAL_FIELDS = ("rows", "format", "source_sha256", "types", "e_tag")
_FIELDS = tuple(field.name for field in attrs.fields(ManifestEntry) if field.name not in _OPTIONAL_FIELDS)
_NO_FILE = (type(None),) * 4
_FILE = (str, int, str, str)
_MAX_SIZE = 2**63 - 1
_VERIFIED = frozenset({None, "checksum", "length", "none"})
_SHA256 = r"[0-9a-f]{64}"
