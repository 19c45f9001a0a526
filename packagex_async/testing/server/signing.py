"""Signed links: an HMAC over the raw text of path and query, so that any rewriting of it shows."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import quote, unquote

_BUCKET = "/px-exports/acct%40main"
_MARK = "&X-Px-Signature="
# Escapes that are tempting to rewrite: / @ + ~ and a space in both spellings.
_QUERY = (
    "X-Px-Algorithm=PX4-HMAC-SHA256&X-Px-Credential=acct%2F20240101%2Fexports&X-Px-Expires={expires}"
    "&response-content-disposition=attachment%3B%20filename%3D%22a%2Bb.csv%22&x-id=Get+Object"
    "&x-owner=ops%40example.com%7E"
)


class Signer:
    """Signs links with a secret of its own, and knows its signature again."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, export_id: str, artifact: str, *, expires: float) -> str:
        """The request target (path and query) that fetches an object until `expires`, in epoch seconds."""
        path = f"{_BUCKET}/{quote(export_id, safe='')}/{quote(artifact, safe='')}"
        text = f"{path}?{_QUERY.format(expires=round(expires))}"
        return text + _MARK + self._mac(text)

    def expiry(self, target: str) -> int | None:
        """When the link at `target` expires, in epoch seconds; `None` when the signature is not ours."""
        text, _, signature = target.rpartition(_MARK)
        if not hmac.compare_digest(signature.encode(errors="replace"), self._mac(text).encode()):
            return None
        return int(text.partition("X-Px-Expires=")[2].partition("&")[0])

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()


def locate(path: str) -> tuple[str | None, str | None]:
    """The export id and the artifact a storage path names, or `None` for each when it is no such path."""
    bucket, _, name = path.rpartition("/")
    bucket, _, export_id = bucket.rpartition("/")
    if bucket != _BUCKET:
        return None, None
    return unquote(export_id), unquote(name)
