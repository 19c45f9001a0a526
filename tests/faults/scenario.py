"""A download scenario: a server, a folder and a client, with a check of the invariant after each download."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

from packagex_async import (
    AsyncPackageX,
    DownloadedFile,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    Export,
)
from packagex_async.testing import Emulator
from tests.faults.invariant import SECRET, SUFFIXES, check, read_files
from tests.faults.responses import Headers
from tests.faults.storage_server import RawStorageServer, Responder, StoredObject
from tests.support import NO_BACKOFF

TIMEOUT_SECONDS = 120.0
"""Seconds after which a case fails, with a margin for slow machines."""

E = TypeVar("E", bound=DownloadError)


@attrs.define(kw_only=True)
class DownloadScenario:
    """An export on the emulator, and a folder that it is downloaded to.

    Attributes:
        server: The emulator.
        folder: The folder.
        export_id: The id of the export.
        versions: All contents that each artifact has had, oldest first.
        options: Options of the client.
    """

    server: Emulator
    folder: Path
    export_id: str
    versions: dict[str, list[bytes]] = attrs.field(repr=False)  # pytest calls `repr` of fixtures
    options: dict[str, Any] = attrs.field(factory=lambda: {"retry": NO_BACKOFF})

    @property
    def content(self) -> bytes:
        """The current content of the CSV."""
        return self.versions["csv"][-1]

    def path(self, artifact: str = "csv") -> Path:
        """Return the path that an artifact is downloaded to."""
        return self.folder / f"{self.export_id}{SUFFIXES[artifact]}"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncPackageX]:
        """Open a client, and fail after `TIMEOUT_SECONDS`."""
        async with asyncio.timeout(TIMEOUT_SECONDS), self.server.client(**self.options) as px:
            yield px

    async def run(self, *, export: Export | None = None, **options: Any) -> DownloadReport:
        """Download the export, by id unless `export` is given; check the invariant; return the report."""
        before = read_files(self.folder)
        arguments: dict[str, Any] = {"artifacts": "csv", "digest": "sha256", **options}
        async with self.client() as px:
            try:
                report = await px.exports.download(export or self.export_id, self.folder, **arguments)
            except DownloadGroupError as error:
                assert error.report.failures
                report = error.report
        self.check(before, report, resume=bool(options.get("resume")))
        return report

    async def download(self, **options: Any) -> DownloadedFile:
        """Download the CSV successfully; return its entry of the report."""
        report = await self.run(**options)
        assert report.ok, report
        return report.files["csv"]

    async def download_error(self, kind: type[E], **options: Any) -> E:
        """Download the CSV, which must fail with exactly this type of error; return the error."""
        report = await self.run(**options)
        (failure,) = report.failures
        assert type(failure) is kind
        return failure

    def check(
        self, before: dict[str, bytes], report: DownloadReport | None = None, *, resume: bool = False
    ) -> None:
        """Check the invariant for the folder and the report."""
        check(self.folder, self.export_id, self.versions, before=before, report=report, resume=resume)

    @property
    def retrieve_count(self) -> int:
        """The number of requests to the API."""
        return [request.host for request in self.server.requests].count("api")


class RawStorageEmulator(Emulator):
    """The API of the emulator, with download URLs that point to a raw storage server.

    Attributes:
        origin: Scheme, address and port of the storage server.
        query: The start of the query of each URL, before its number and signature.
    """

    def __init__(self, storage: RawStorageServer) -> None:
        super().__init__(populate=False)
        self.origin = storage.origin
        self.query = ""
        self._url_count = 0

    def url_for(self, export_id: str, artifact: str, expires_in: float = 0.0) -> str:
        self._url_count += 1
        return f"{self.origin}/{export_id}/{artifact}?{self.query}&link={self._url_count}&sig={SECRET}"


@attrs.define(kw_only=True)
class RawDownloadScenario(DownloadScenario):
    """An export on the emulator whose CSV is served by a raw storage server."""

    server: RawStorageEmulator  # pyright: ignore[reportIncompatibleVariableOverride]
    storage: RawStorageServer

    def respond_with(self, *responders: Responder) -> None:
        """Queue responders, one for each of the next requests for the CSV."""
        self.storage.respond_with(*responders)

    def always_respond_with(self, responder: Responder) -> None:
        """Set the responder for all requests for the CSV that no responder was queued for."""
        self.storage.default_responder = responder

    def replace_object(self, content: bytes, *, version: int = 1) -> None:
        """Replace the object behind the URLs."""
        self.versions["csv"].append(content)
        self.storage.stored = StoredObject.of(content, version=version)

    def set_headers(self, headers: Headers) -> None:
        """Change the headers that correct responses describe the object with."""
        self.storage.stored = self.storage.stored.with_headers(headers)
