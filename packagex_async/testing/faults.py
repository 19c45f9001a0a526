"""Faults in responses and connections, and the queue in which they wait for a matching request."""

from __future__ import annotations

import attrs

from packagex_async import Artifact
from packagex_async.models import ArtifactName
from packagex_async.testing.data.store import Store
from packagex_async.testing.server.reply import ConnectionAction, Reply
from packagex_async.testing.server.request import Host, RecordedRequest


@attrs.frozen
class Fault:
    """A fault in the handling of one request.

    This class changes nothing. Subclasses override the methods that they need. The emulator calls them in the
    order of their definition.
    """

    def matches(self, request: RecordedRequest) -> bool:
        """Return whether the fault applies to `request`."""
        return True

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        """Return the request that the server handles instead of `request`; may change `store` first."""
        return request

    def executes_request(self) -> bool:
        """Return whether the server executes the request. Otherwise it creates no export."""
        return True

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        """Return the response to send instead of `reply`, the regular response."""
        return reply

    def after_response(self, store: Store) -> None:
        """Change `store` after the response has been computed and before it is sent."""


@attrs.frozen(kw_only=True)
class TargetedFault(Fault):
    """A fault that applies to some requests only.

    Attributes:
        on: The server that receives the request: `"api"` or `"storage"`.
        export_id: The export that is requested, or `None` for any.
        artifact: The artifact that is requested, or `None` for any.
        method: The HTTP method of the request, or `None` for any.
    """

    on: Host = "storage"
    export_id: str | None = None
    artifact: Artifact | ArtifactName | None = None
    method: str | None = None

    def matches(self, request: RecordedRequest) -> bool:
        return (
            self.on == request.host
            and self.export_id in (None, request.export_id)
            and self.artifact in (None, request.artifact)
            and self.method in (None, request.method)
        )


class FaultQueue:
    """Injected faults, in order. Each request gets the first fault that matches it, and no other."""

    def __init__(self) -> None:
        self._entries: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault, times: int | None) -> None:
        """Append `fault`. It is removed after `times` requests, or never if `times` is `None`."""
        if times is not None and times < 1:
            raise ValueError("times must be at least 1, or None for every request")
        self._entries.append((fault, times))

    def take(self, request: RecordedRequest) -> Fault:
        """Return the fault for `request`, or a `Fault` that changes nothing. Count the use of the fault."""
        for index, (fault, times) in enumerate(self._entries):
            if fault.matches(request):
                self._entries[index : index + 1] = [(fault, times and times - 1)] if times != 1 else []
                return fault
        return Fault()


@attrs.frozen
class Status(TargetedFault):
    """A response with another status.

    Attributes:
        status: The HTTP status.
        retry_after: The value of `Retry-After` (seconds or a date), or `None` to omit the header.
        body: The response body, sent unchanged.
        on: The server that receives the request: `"api"` or `"storage"`.
        done: Whether the server executes the request before it sends this response. If not, the request
            creates no export.
    """

    status: int
    retry_after: str | None = None
    body: bytes | None = attrs.field(default=None, repr=False)
    on: Host = attrs.field(kw_only=True)
    done: bool = attrs.field(default=False, kw_only=True)

    def executes_request(self) -> bool:
        return self.done

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        error = Reply.of(self.status, self.body or b"", {"Content-Type": "text/plain"})
        return error.with_headers({"Retry-After": self.retry_after})


@attrs.frozen
class Garbage(TargetedFault):
    """A 200 response with an unrelated body, such as the page of a proxy. The request is not executed."""

    body: bytes = attrs.field(default=b"<html><body>Welcome to the airport!</body></html>", repr=False)
    on: Host = attrs.field(default="api", kw_only=True)

    def executes_request(self) -> bool:
        return False

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(200, self.body, {"Content-Type": "text/html"})


@attrs.frozen
class Redirect(TargetedFault):
    """A 302 redirect to `location`, sent byte for byte. `None` redirects to the requested path and query."""

    location: str | None = attrs.field(default=None, repr=False)

    def executes_request(self) -> bool:
        return False

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(302, headers={"Location": self.location or request.target})


@attrs.frozen
class Refuse(TargetedFault):
    """The server executes the request, then closes the connection without a response."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, silent=True, connection=ConnectionAction.CLOSE)


@attrs.frozen
class Cut(TargetedFault):
    """The server closes the connection after the first `after` bytes of the body."""

    after: int

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], connection=ConnectionAction.CLOSE)


@attrs.frozen
class Reset(TargetedFault):
    """The server resets the connection (RST) after the first `after` bytes of the body."""

    after: int

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], connection=ConnectionAction.RESET)


@attrs.frozen
class Stall(TargetedFault):
    """The server stops sending after the first `after` bytes of the body and keeps the connection open."""

    after: int

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], connection=ConnectionAction.HOLD)


@attrs.frozen
class Trickle(TargetedFault):
    """The server sends `block` bytes at a time, and waits `delay` seconds after each write."""

    block: int
    delay: float

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, chunk_size=self.block, delay=self.delay)


@attrs.frozen
class LyingLength(TargetedFault):
    """`Content-Length` is wrong by `by` bytes: too large if positive, too small if negative."""

    by: int

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        length = max(len(reply.body) + self.by, 0)
        return attrs.evolve(reply, content_length=length, connection=ConnectionAction.CLOSE)
