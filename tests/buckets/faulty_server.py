"""A server in front of a server for S3: it records all requests, and answers some of them itself."""

from __future__ import annotations

import http.client
import http.server
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs

from tests.buckets.conftest import S3Server


@attrs.frozen
class Answer:
    """A response in the place of the one of the server.

    Attributes:
        status: The status.
        code: The code of the error in the body.
        times: The number of requests that are answered.
    """

    status: int
    code: str
    times: int = 1_000_000


def operation_of(method: str, target: str) -> str:
    """Return the name of an operation of S3, such as `"PutObject"`, or `"PutManifest"` for a manifest."""
    path, _, query = target.partition("?")
    if re.search(r"(?:^|&)uploads\b", query):
        return "ListUploads" if method == "GET" else "CreateUpload"
    if "uploadId" in query:
        return {"PUT": "UploadPart", "POST": "CompleteUpload", "DELETE": "AbortUpload"}[method]
    if "list-type" in query:
        return "ListObjects"
    return f"{method.title()}{'Manifest' if '/_packagex/' in path else 'Object'}"


class FaultyS3Server(http.server.ThreadingHTTPServer):
    """Passes requests to a server, except those that have an answer.

    Args:
        server: The server.
        answers: The answers by operation.

    Attributes:
        requests: The operations of all requests.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, server: S3Server, answers: Mapping[str, Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = server.endpoint.removeprefix("http://")
        self.answers = answers
        self.requests: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def server(self) -> S3Server:
        """This server as a server for S3."""
        return S3Server(f"http://127.0.0.1:{self.server_port}")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyS3Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        operation = operation_of(self.command, self.path)
        with self.server.lock:
            self.server.requests[operation] += 1
            count = self.server.requests[operation]
        if self.headers.get("If-None-Match") and "ConditionalPut" in self.server.answers:
            operation = "ConditionalPut"
        answer = self.server.answers.get(operation)
        if answer is not None and count <= answer.times:
            content = f"<Error><Code>{answer.code}</Code><Message>refused</Message></Error>".encode()
            self.respond(answer.status, {"x-amz-bucket-region": "eu-west-1"}, content)
            return
        connection = http.client.HTTPConnection(self.server.address, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        self.respond(response.status, dict(response.headers), content)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815  # the names of http.server

    def respond(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        size = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def faulty_server(server: S3Server, answers: Mapping[str, Answer]) -> Iterator[FaultyS3Server]:
    """Run a server in front of another one.

    Args:
        server: The other server.
        answers: The answers by operation; see `operation_of`. The operation `"ConditionalPut"` is a `PUT`
            with a condition.
    """
    with FaultyS3Server(server, answers) as faulty:
        thread = threading.Thread(target=faulty.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield faulty
        finally:
            faulty.shutdown()
            thread.join()
