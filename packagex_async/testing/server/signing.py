"""Signed URLs: an HMAC of the exact text of path and query, so that any rewriting invalidates it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import quote, unquote

_BUCKET = "/px-exports/acct%40main"
_SIGNATURE = "&X-Px-Signature="
# Escapes that clients tend to rewrite: / @ + ~ and both encodings of a space.
_QUERY = (
    "X-Px-Algorithm=PX4-HMAC-SHA256&X-Px-Credential=acct%2F20240101%2Fexports&X-Px-Expires={expires}"
    "&response-content-disposition=attachment%3B%20filename%3D%22a%2Bb.csv%22&x-id=Get+Object"
    "&x-owner=ops%40example.com%7E"
)


class Signer:
    """Signs URLs with a random secret, and verifies the signatures."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, export_id: str, artifact: str, *, expires: float) -> str:
        """Return the signed path and query of an object. `expires` is in seconds since the epoch."""
        path = f"{_BUCKET}/{quote(export_id, safe='')}/{quote(artifact, safe='')}"
        text = f"{path}?{_QUERY.format(expires=round(expires))}"
        return text + _SIGNATURE + self._mac(text)

    def expiry(self, target: str) -> int | None:
        """Return when a signed path and query expires, in seconds since the epoch.

        Returns:
            The expiry time, or `None` if the signature is invalid.
        """
        text, _, signature = target.rpartition(_SIGNATURE)
        if not hmac.compare_digest(signature.encode(errors="replace"), self._mac(text).encode()):
            return None
        return int(text.partition("X-Px-Expires=")[2].partition("&")[0])

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()


def parse_path(path: str) -> tuple[str | None, str | None]:
    """Return the export id and the artifact name in an object's path; both are `None` for other paths."""
    bucket, _, name = path.rpartition("/")
    bucket, _, export_id = bucket.rpartition("/")
    if bucket != _BUCKET:
        return None, None
    return unquote(export_id), unquote(name)
