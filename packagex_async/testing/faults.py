"""What can be scripted to go wrong with an answer and its connection, and in which order it does."""

from __future__ import annotations

import attrs

from packagex_async import Artifact
from packagex_async.models import ArtifactName
from packagex_async.testing.data.store import Store
from packagex_async.testing.server.reply import Ending, Reply
from packagex_async.testing.server.request import Host, RecordedRequest


@attrs.frozen
class Fault:
    """Something that goes wrong with one request: this one harms none, the others override its steps."""

    def strikes(self, request: RecordedRequest) -> bool:
        """Whether `request` is one that this fault is meant for."""
        return True

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        """The request as the server (mis)understands it; `store` may change first."""
        return request

    def lets_through(self) -> bool:
        """Whether the request is carried out; only one that creates an export tells the difference."""
        return True

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        """The answer that leaves in place of the honest `reply`."""
        return reply

    def leave(self, store: Store) -> None:
        """What happens to `store` once the answer is settled."""


@attrs.frozen(kw_only=True)
class TargetedFault(Fault):
    """A fault meant for some requests only.

    Attributes:
        on: The port whose requests it strikes.
        export_id: The export whose requests it strikes, or `None` for any.
        artifact: The artifact whose requests it strikes, or `None` for any.
        method: The HTTP method of the requests it strikes, or `None` for any.
    """

    on: Host = "storage"
    export_id: str | None = None
    artifact: Artifact | ArtifactName | None = None
    method: str | None = None

    def strikes(self, request: RecordedRequest) -> bool:
        return (
            self.on == request.host
            and self.export_id in (None, request.export_id)
            and self.artifact in (None, request.artifact)
            and self.method in (None, request.method)
        )


class Script:
    """The faults still to come. A request meets the first that strikes it, and only that one."""

    def __init__(self) -> None:
        self._scenes: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault, times: int | None) -> None:
        """Put `fault` behind the others; it is over after `times` requests, never when `None`."""
        if times is not None and times < 1:
            raise ValueError("a fault strikes at least once; times=None means for ever")
        self._scenes.append((fault, times))

    def take(self, request: RecordedRequest) -> Fault:
        """The fault `request` meets; a harmless one when there is none."""
        for place, (fault, times) in enumerate(self._scenes):
            if fault.strikes(request):
                self._scenes[place : place + 1] = [(fault, times and times - 1)] if times != 1 else []
                return fault
        return Fault()


@attrs.frozen
class Status(TargetedFault):
    """Another status than the honest one.

    Attributes:
        status: The HTTP status.
        retry_after: The text of `Retry-After`, in seconds or as a date, or `None` for none.
        body: The body, sent as it is.
        on: The port whose requests it strikes.
        done: Whether the request was carried out all the same; otherwise it creates no export.
    """

    status: int
    retry_after: str | None = None
    body: bytes | None = attrs.field(default=None, repr=False)
    on: Host = attrs.field(kw_only=True)
    done: bool = attrs.field(default=False, kw_only=True)

    def lets_through(self) -> bool:
        return self.done

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        told = Reply.of(self.status, self.body or b"", {"Content-Type": "text/plain"})
        return told.having({"Retry-After": self.retry_after})


@attrs.frozen
class Garbage(TargetedFault):
    """A 200 whose body is not what the port promises, as a proxy's page is not; nothing is carried out."""

    body: bytes = attrs.field(default=b"<html><body>Welcome to the airport!</body></html>", repr=False)
    on: Host = attrs.field(default="api", kw_only=True)

    def lets_through(self) -> bool:
        return False

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(200, self.body, {"Content-Type": "text/html"})


@attrs.frozen
class Redirect(TargetedFault):
    """A 302 to `location`, byte for byte; to the very target that was asked for when `None`."""

    location: str | None = attrs.field(default=None, repr=False)

    def lets_through(self) -> bool:
        return False

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(302, headers={"Location": self.location or request.target})


@attrs.frozen
class Refuse(TargetedFault):
    """The connection is closed before any answer; the request was heard, and is carried out."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, silent=True, ending=Ending.CLOSE)


@attrs.frozen
class Cut(TargetedFault):
    """The connection closes cleanly `after` bytes of body, whatever Content-Length says."""

    after: int

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], ending=Ending.CLOSE)


@attrs.frozen
class Reset(TargetedFault):
    """The connection is reset (RST) `after` bytes of body."""

    after: int

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], ending=Ending.RESET)


@attrs.frozen
class Stall(TargetedFault):
    """Nothing more comes `after` bytes of body, until the client goes or the emulator closes."""

    after: int

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, body=reply.body[: self.after], ending=Ending.HOLD)


@attrs.frozen
class Trickle(TargetedFault):
    """The body comes `block` bytes at a time, with `delay` seconds behind each."""

    block: int
    delay: float

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply, block=self.block, delay=self.delay)


@attrs.frozen
class LyingLength(TargetedFault):
    """Content-Length is off `by` bytes: above 0 it declares more than is sent, below 0 less; then a close."""

    by: int

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        declared = max(len(reply.body) + self.by, 0)
        return attrs.evolve(reply, declared=declared, ending=Ending.CLOSE)
