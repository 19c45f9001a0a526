"""A request that the emulator received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl

import attrs
from multidict import CIMultiDict

Host = Literal["api", "storage"]


def _repr_without_query(target: str) -> str:
    return repr(target.partition("?")[0])


@attrs.frozen(kw_only=True, eq=False)
class RecordedRequest:
    """A request that the emulator received. Its repr omits the query and the headers: both contain secrets.

    Attributes:
        host: The server that received it: `"api"` or `"storage"`.
        method: The HTTP method.
        target: The path and the query, exactly as sent.
        headers: The headers; names are case-insensitive.
        at: The time of arrival in seconds since the epoch, by the emulator's clock.
        export_id: The id of the requested export, or `None`.
        artifact: The name of the requested artifact (storage only), or `None`.
        body: The request body.
        status: The status of the response, or `None` if the connection was closed without a response.
    """

    host: Host
    method: str
    target: str = attrs.field(repr=_repr_without_query)
    headers: Mapping[str, str] = attrs.field(repr=False)
    at: float = attrs.field(repr=False)
    export_id: str | None = None
    artifact: str | None = None
    body: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None

    @property
    def path(self) -> str:
        """The path, percent-encoded as sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The decoded query parameters. If a name repeats, its last value counts."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def without_headers(self, *names: str) -> RecordedRequest:
        """Return a copy without the headers of these names."""
        removed = {name.lower() for name in names}
        return self.with_headers(
            {name: value for name, value in self.headers.items() if name.lower() not in removed}
        )

    def with_headers(self, headers: Mapping[str, str]) -> RecordedRequest:
        """Return a copy with `headers` instead of its headers."""
        return attrs.evolve(self, headers=CIMultiDict(headers))
