"""Signature Version 4 of AWS, for requests without a body. Pure functions, without I/O."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

import attrs

_EMPTY = hashlib.sha256(b"").hexdigest()


@attrs.frozen(eq=False, repr=False)
class AwsKey:
    """An access key of AWS.

    Attributes:
        key_id: Its id.
        secret: Its secret.
        token: The token of a temporary key, or `None`.
        region: The region of the requests.
    """

    key_id: str
    secret: str
    token: str | None
    region: str


def sign(method: str, url: str, key: AwsKey, now: datetime) -> dict[str, str]:
    """Return the headers of a request to S3.

    Args:
        method: The HTTP method.
        url: The URL. Its path and query are encoded, and the parameters are sorted.
        key: The access key.
        now: The time in UTC.
    """
    parts = urlsplit(url)
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": moment}
    if key.token:
        headers["x-amz-security-token"] = key.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join((method, parts.path or "/", parts.query, lines, names, _EMPTY))
    scope = f"{moment[:8]}/{key.region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    secret = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    credential = f"Credential={key.key_id}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return headers
