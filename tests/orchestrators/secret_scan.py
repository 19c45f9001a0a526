"""Search for secrets in everything that an orchestrator writes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from packagex_async.testing import Emulator

_SHORTEST = 16
"""The minimum length of a signature in characters."""


def secrets_of(server: Emulator) -> set[str]:
    """Return the API key, the address of the storage host, and the signatures of all requests to it."""
    stored = [request.target for request in server.requests if request.host == "storage"]
    values = [value for target in stored for _, value in parse_qsl(urlsplit(target).query)]
    # The address finds URLs that were not requested.
    address = urlsplit(server.url_for("exp_any", "csv")).netloc
    return {server.api_key, address, *(value for value in values if len(value) >= _SHORTEST)}


def find(secrets: Iterable[str], folder: Path, outputs: Iterable[str] = ()) -> list[str]:
    """Return the names of the files, and the numbers of the outputs, that contain one of the secrets."""
    forms = [form for secret in secrets for form in _forms(secret)]
    texts = {f"output {number}": text.encode() for number, text in enumerate(outputs)}
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}
    return [name for name, content in (files | texts).items() if any(form in content for form in forms)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _forms(secret: str) -> Iterator[bytes]:
    """Yield the secret as it is, quoted, and in base64 at each position."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode())
        # The characters at both ends also depend on the surrounding bytes.
        yield encoded[4:-4]
