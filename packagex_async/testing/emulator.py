"""The emulator: an API server and a storage server with common data, and the methods that control them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs
from aiohttp import web
from multidict import CIMultiDict

from packagex_async.testing.data.dialect import Dialect
from packagex_async.testing.data.file_format import FileFormat
from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.population import add_sample_exports
from packagex_async.testing.data.store import Store, StoredExport
from packagex_async.testing.faults import Fault, FaultQueue
from packagex_async.testing.server.api import Api, is_list_request
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest
from packagex_async.testing.server.servers import Servers
from packagex_async.testing.server.signing import Signer
from packagex_async.testing.server.storage import Storage

if TYPE_CHECKING:
    from packagex_async import Artifact, AsyncPackageX
    from packagex_async.models import ArtifactName, ResourceName, StatusName

_URL_LIFETIME = 3600.0


class Emulator:
    """A server on 127.0.0.1 that emulates the Exports API and its storage. Use it with `async with`.

    Args:
        dialect: The format of the API's responses where its documentation leaves it open.
        seed: The seed of the generated data. The same seed generates the same exports.
        populate: Whether to start with sample exports.
        limit_cap: The maximum number of exports on a page, whatever limit is requested.
        now: The clock of both servers, in seconds since the epoch. It determines the dates of responses and
            exports, the expiry of URLs, and the deletion of exports after 24 hours.
        api_key: The accepted key; a random key by default.
        life: The course of exports that a POST creates.
        pending: The course of exports that are added as queued or processing. By default they are queued for
            2 seconds, processed for 5 seconds, and then completed. `None` keeps their status. A status that
            is set with `update_export` never changes by itself.
        port: The port of the API; 0 means that the operating system chooses.

    Attributes:
        api_key: The accepted key.
        life: The course of exports that a POST creates from now on.
        now: The clock.
        requests: All requests received so far, in order.
        on_response: Called with each request and the seconds until its response was sent.
        after_list: Called with the page number after each page of a listing is computed, before it is sent.
    """

    def __init__(
        self, *, dialect: Dialect | None = None, seed: int = 7, populate: bool = True, limit_cap: int = 100,
        now: Callable[[], float] = time.time, api_key: str | None = None, life: Life | None = None,
        pending: Life | None = Life(),  # noqa: B008  # frozen
        port: int = 0,
    ) -> None:  # fmt: skip
        self.api_key: str = api_key or f"px_emulated_{secrets.token_urlsafe(18)}"
        self.now = now
        self.requests: list[RecordedRequest] = []
        self.on_response: Callable[[RecordedRequest, float], object] | None = None
        self.after_list: Callable[[int], None] | None = None
        self.life: Life = life or Life()
        self._store = Store(seed=seed, now=now, pending=pending)
        self._signer = Signer()
        self._faults = FaultQueue()
        api = Api(
            store=self._store,
            life=lambda: self.life,
            dialect=dialect or Dialect(),
            limit_cap=limit_cap,
            api_key=self.api_key,
            sign_url=self.url_for,
        )
        storage = Storage(store=self._store, signer=self._signer)
        self._servers = Servers(
            {server.host: partial(self._handle, server) for server in (api, storage)}, api_port=port
        )
        if populate:
            add_sample_exports(self._store, now=now())

    def __repr__(self) -> str:
        return f"<Emulator: {len(self.exports)} exports, {self._servers!r}>"

    async def start(self) -> None:
        """Start both servers on ports of 127.0.0.1.

        Raises:
            OSError: The port is in use, or may not be used.
        """
        await self._servers.start()

    async def aclose(self) -> None:
        """Stop both servers and close all connections, including stalled ones. May be called repeatedly."""
        await self._servers.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def base_url(self) -> str:
        """The base URL of the API. It remains available after closing.

        Raises:
            RuntimeError: The emulator has not been started.
        """
        return self._servers.origin("api")

    @property
    def exports(self) -> tuple[StoredExport, ...]:
        """All exports that are not deleted, ordered by creation time."""
        return self._store.exports()

    @property
    def created(self) -> tuple[str, ...]:
        """The ids of all exports that POST requests created, deleted exports included."""
        return tuple(self._store.created)

    def client(self, **options: Any) -> AsyncPackageX:
        """Return a client of this server.

        Args:
            options: Arguments of `AsyncPackageX`.

        Raises:
            RuntimeError: The emulator has not been started.
        """
        from packagex_async import AsyncPackageX

        return AsyncPackageX(api_key=self.api_key, base_url=self.base_url, **options)

    def add_export(
        self, *, resource: ResourceName | str = "contact", status: StatusName | str = "completed",
        name: str | None = None, rows: int = 2000, error_rows: int = 0, sanitized_rows: int = 0,
        created_at: float | None = None, content: Mapping[str, bytes] | None = None,
        export_id: str | None = None, file_format: FileFormat | None = None,
    ) -> StoredExport:  # fmt: skip
        """Add an export.

        Args:
            resource: The exported resource; any string is accepted.
            status: The status. The export has URLs once it is `"completed"`. A `"queued"` or `"processing"`
                export changes its status over time; see `pending`.
            name: The name, or `None` for a generated one.
            rows: The number of rows of the CSV and the JSON file.
            error_rows: The number of rows that failed. The file of errors is offered if it is not 0.
            sanitized_rows: The number of rows that were sanitized. Their file is offered if it is not 0.
            created_at: The creation time in seconds since the epoch; `None` means now.
            content: The bytes of each artifact by name (`"json"`, `"csv"`, `"csv_error"`, `"csv_sanitized"`),
                instead of generated rows. Other artifacts are not offered.
            export_id: The id, or `None` for a generated one.
            file_format: The format of the generated files, and what is wrong with their last row; see
                `FileFormat`. By default they are correct.

        Returns:
            The stored export.
        """
        return self._store.add(
            resource=resource,
            status=status,
            name=name,
            rows=rows,
            error_rows=error_rows,
            sanitized_rows=sanitized_rows,
            created_at=created_at,
            content=content,
            export_id=export_id,
            file_format=file_format,
        )

    def update_export(self, export_id: str, **changes: Any) -> StoredExport:
        """Change fields of a stored export.

        A status that is set this way does not change any more.

        Args:
            export_id: The id of the export.
            changes: New values for fields of `StoredExport`. `updated_at` is now unless given.

        Returns:
            The changed export.

        Raises:
            KeyError: No export has this id.
            TypeError: `StoredExport` has no such field.
        """
        return self._store.update(export_id, **changes)

    def delete_export(self, export_id: str) -> None:
        """Delete an export and its objects, if it exists. URLs that were issued before return 404."""
        self._store.delete(export_id)

    def content(self, export_id: str, artifact: Artifact | ArtifactName) -> bytes:
        """Return the exact bytes of an artifact.

        Raises:
            KeyError: The export does not exist or does not offer the artifact.
        """
        blob = self._store.blob(export_id, artifact)
        if blob is None:
            raise KeyError(f"{export_id} has no {artifact}")
        return blob.content

    def url_for(
        self, export_id: str, artifact: Artifact | ArtifactName, expires_in: float = _URL_LIFETIME
    ) -> str:
        """Return a signed URL of an artifact that expires in `expires_in` seconds. The URL is a secret.

        Raises:
            RuntimeError: The emulator has not been started.
        """
        target = self._signer.sign(export_id, artifact, expires=self.now() + expires_in)
        return self._servers.origin("storage") + target

    def inject(self, fault: Fault, *, times: int | None = 1) -> None:
        """Inject a fault. Each request gets the first injected fault that matches it, and no other.

        Args:
            fault: The fault; it also determines the requests that it applies to.
            times: The number of requests that get the fault; `None` means all from now on.

        Raises:
            ValueError: `times` is less than 1.
        """
        self._faults.add(fault, times)

    @staticmethod
    def _report_response(
        on_response: Callable[[RecordedRequest, float], object], request: RecordedRequest, started_at: float
    ) -> None:
        on_response(request, time.monotonic() - started_at)

    def _handle(self, server: Api | Storage, request: web.BaseRequest, body: bytes) -> Reply:
        target = request.raw_path
        export_id, artifact = server.parse_path(target.partition("?")[0])
        received = RecordedRequest(
            host=server.host,
            method=request.method,
            target=target,
            headers=CIMultiDict(request.headers),
            at=self.now(),
            export_id=export_id,
            artifact=artifact,
            body=body,
        )
        fault = self._faults.take(received)
        rewritten = fault.rewrite_request(received, self._store)
        regular = server.respond(rewritten) if fault.executes_request() else Reply.of(200)
        reply = fault.rewrite_response(regular, received)
        fault.after_response(self._store)
        recorded = attrs.evolve(received, status=None if reply.silent else reply.status)
        self.requests.append(recorded)
        if self.on_response is not None:
            on_end = partial(self._report_response, self.on_response, recorded, time.monotonic())
            reply = attrs.evolve(reply, on_end=on_end)
        if self.after_list is not None and is_list_request(received) and reply.status == 200:
            self.after_list(int(received.query.get("page", "1")))
        return reply.with_headers({"Date": formatdate(received.at, usegmt=True)})
