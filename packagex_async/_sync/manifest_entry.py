"""One line of the manifest: what was brought, in JSON."""

from __future__ import annotations

import json
import re

import attrs


@attrs.frozen(kw_only=True, repr=False)
class ManifestEntry:
    """What the manifest says of one artifact. It holds no URL.

    Attributes:
        export_id: Which export.
        artifact: Which of its artifacts.
        path: Where it is, relative to the folder, with `/` between names; `None` where the export does not
            offer it.
        size: Its length in bytes.
        sha256: Its SHA-256 in hexadecimal.
        verified: What it was checked against (see `DownloadedFile`).
        when: When it was brought, ISO 8601 in UTC.
        updated_at: When the export had last changed, by its own account, likewise.
    """

    export_id: str
    artifact: str
    path: str | None = None
    size: int | None = None
    sha256: str | None = None
    verified: str | None = None
    when: str
    updated_at: str | None

    def dump(self) -> bytes:
        """The line, with its end."""
        return (
            json.dumps({name: getattr(self, name) for name in _FIELDS}, separators=(",", ":")).encode()
            + b"\n"
        )

    @classmethod
    def parse(cls, text: bytes) -> ManifestEntry | None:
        """What a line says, or `None` when it is not one of ours."""
        if not text.startswith(b"{"):
            return None
        try:
            told = json.loads(text)
            line = cls(**{name: told[name] for name in _FIELDS})
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return line if line._makes_sense() else None

    def _makes_sense(self) -> bool:
        # Not offered, or there with all that belongs to it.
        kinds = type(self.path), type(self.size), type(self.sha256), type(self.verified)
        return (
            kinds in (_ABSENT, _PRESENT)
            and type(self.export_id) is type(self.artifact) is type(self.when) is str
            and type(self.updated_at) in (str, type(None))
            and 0 <= (self.size or 0) <= _MAX_SIZE
            and self.verified in _VERIFIED
            and (self.sha256 is None or re.fullmatch(_SHA256, self.sha256) is not None)
        )


_FIELDS = tuple(field.name for field in attrs.fields(ManifestEntry))
_ABSENT = (type(None),) * 4
_PRESENT = (str, int, str, str)
_MAX_SIZE = 2**63 - 1
_VERIFIED = frozenset({None, "checksum", "length", "none"})
_SHA256 = r"[0-9a-f]{64}"
