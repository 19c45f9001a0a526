"""A request as it reached the far side, before anybody made sense of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl

import attrs
from multidict import CIMultiDict

Host = Literal["api", "storage"]


def _path_only(target: str) -> str:
    return repr(target.partition("?")[0])


@attrs.frozen(kw_only=True, eq=False)
class RecordedRequest:
    """One request the emulator received. Its repr shows no query and no header, for the secrets in them.

    Attributes:
        host: Which of the two ports it came to.
        method: Its HTTP method.
        target: Path and query, exactly as they stood on the wire.
        headers: Its headers, case-insensitive.
        at: When it came, in seconds since the epoch, by the emulator's clock.
        export_id: The export it is about, or `None` when it names none.
        artifact: The artifact it is about (storage only), or `None`.
        body: Its body.
        status: The status it was answered with, or `None` when the connection was closed without an answer.
    """

    host: Host
    method: str
    target: str = attrs.field(repr=_path_only)
    headers: Mapping[str, str] = attrs.field(repr=False)
    at: float = attrs.field(repr=False)
    export_id: str | None = None
    artifact: str | None = None
    body: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None

    @property
    def path(self) -> str:
        """The target before its query, still quoted."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query, unquoted; the last one wins where a name repeats."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def without(self, *names: str) -> RecordedRequest:
        """The same request with the headers of these names left out."""
        unwanted = {name.lower() for name in names}
        return self.having(
            {name: text for name, text in self.headers.items() if name.lower() not in unwanted}
        )

    def having(self, headers: Mapping[str, str]) -> RecordedRequest:
        """The same request with `headers` in place of its own."""
        return attrs.evolve(self, headers=CIMultiDict(headers))
