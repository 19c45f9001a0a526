"""The plays of a raw host: honest, or honest but for one thing."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from tests.faults.host import Answer, Ending, Play, Request, Stored

Headers = Mapping[str, str | None]
"""Headers to set, or to leave out where `None`."""

NONE: Headers = {}


def honest(request: Request, stored: Stored) -> Answer:
    """The whole, or the part that is asked for, of the object that is asked for."""
    tag = stored.headers.get("ETag")
    first, size = request.first, len(stored.content)
    if first is None or request.headers.get("If-Range", tag) != tag:
        return _whole(stored)
    last = size - 1 if request.last is None else min(request.last, size - 1)
    return _part(stored, first, last) if first < size else _beyond(size)


def but(
    *,
    status: str | None = None,
    headers: Headers = NONE,
    body: bytes | None = None,
    cut: int | None = None,
    ending: Ending | None = None,
    version: str = "HTTP/1.1",
) -> Play:
    """Honest but for what is given; the connection is closed where the body is `cut`."""

    def play(request: Request, stored: Stored) -> Answer:
        answer = honest(request, stored).having(headers)
        sent = answer.body if body is None else body
        return attrs.evolve(
            answer,
            status=status or answer.status,
            body=sent[:cut],
            ending=ending or (Ending.KEEP if cut is None else Ending.FIN),
            version=version,
        )

    return play


def cut(after: int, ending: Ending = Ending.FIN, headers: Headers = NONE) -> Play:
    """Honest, but the connection ends `after` bytes of body."""
    return but(cut=after, ending=ending, headers=headers)


def part(first: int, last: int | None = None, headers: Headers = NONE) -> Play:
    """A 206 with the bytes from `first` to `last`, whatever was asked for."""

    def play(_: Request, stored: Stored) -> Answer:
        return _part(stored, first, len(stored.content) - 1 if last is None else last).having(headers)

    return play


def whole(headers: Headers = NONE) -> Play:
    """A 200 with everything, whatever was asked for."""
    return lambda _, stored: _whole(stored).having(headers)


def says(status: str, text: str = "", headers: Headers = NONE, ending: Ending = Ending.KEEP) -> Play:
    """Another status and a text in place of the object."""
    body = text.encode()
    told = Answer(status=status, headers={"Content-Length": str(len(body))}, body=body, ending=ending)
    return lambda _, __: told.having(headers)


def chunks(body: bytes, size: int = 10_000) -> bytes:
    """`body` in chunked coding."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


CHUNKED: Headers = {"Content-Length": None, "Transfer-Encoding": "chunked"}
NO_HASH: Headers = {"x-goog-hash": None}
NO_NAME: Headers = {"ETag": None, "x-goog-generation": None, "Last-Modified": None}


def _whole(stored: Stored) -> Answer:
    headers = {**stored.headers, "Content-Length": str(len(stored.content))}
    return Answer(status="200 OK", headers=headers, body=stored.content)


def _part(stored: Stored, first: int, last: int) -> Answer:
    body = stored.content[first : last + 1]
    span = {"Content-Range": f"bytes {first}-{last}/{len(stored.content)}", "Content-Length": str(len(body))}
    return Answer(status="206 Partial Content", headers={**stored.headers, **span}, body=body)


def _beyond(size: int) -> Answer:
    headers = {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
    return Answer(status="416 Range Not Satisfiable", headers=headers, body=b"")
