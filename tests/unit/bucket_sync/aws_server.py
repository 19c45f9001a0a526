"""A server that gives each path its response, and records the requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs


@attrs.define
class AwsServer:
    """The state of the server.

    Attributes:
        url: Its URL.
        responses: The content by method and path; a number is a status, and a URL is a redirect.
        requests: The method, the target and the headers (with small letters) of each request.
    """

    url: str
    responses: Mapping[str, str | int]
    requests: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)


@contextmanager
def aws_server(responses: Mapping[str, str | int]) -> Iterator[AwsServer]:
    """Run a server with these responses."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(
                (f"{self.command} {self.path}", {name.lower(): value for name, value in self.headers.items()})
            )
            found = state.responses.get(f"{self.command} {self.path.partition('?')[0]}", 404)
            content = found.encode() if isinstance(found, str) else b""
            is_redirect = content.startswith(b"http")
            self.send_response(302 if is_redirect else found if isinstance(found, int) else 200)
            if is_redirect:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET  # noqa: N815  # the names of http.server

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = AwsServer(f"http://127.0.0.1:{server.server_port}", responses)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
