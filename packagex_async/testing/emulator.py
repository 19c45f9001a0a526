"""The emulator: two loopback servers over one store, and the handles to steer them."""

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
from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.population import populate as fill
from packagex_async.testing.data.store import Store, StoredExport
from packagex_async.testing.faults import Fault, Script
from packagex_async.testing.server.api import Api, is_listing
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest
from packagex_async.testing.server.servers import Servers
from packagex_async.testing.server.signing import Signer
from packagex_async.testing.server.storage import Storage

if TYPE_CHECKING:
    from packagex_async import Artifact, AsyncPackageX
    from packagex_async.models import ArtifactName, ResourceName, StatusName

_LINK_LIFETIME = 3600.0


class Emulator:
    """A real server on 127.0.0.1 that plays the Exports API and its storage; enter it with `async with`.

    Args:
        dialect: How it speaks where the API's documents leave room.
        seed: What its data are made from; the same seed makes the same exports.
        populate: Whether it starts with a day's exports, or empty.
        limit_cap: The most exports a page holds, whatever is asked for.
        now: The clock of both servers, in seconds since the epoch: it dates answers and exports, lets links
            expire and deletes exports after 24 hours.
        api_key: The key it accepts; a random one by default.
        life: What becomes of the exports that a POST creates.
        pending: What becomes of the exports that are there, or are added, as queued or processing: by default
            they are queued for 2 seconds and processed for 5, and then completed. `None` keeps them as they
            are, and so does `update_export` with a status.

    Attributes:
        api_key: The key it accepts.
        life: What becomes of the exports that a POST creates from now on.
        now: The clock.
        requests: Every request received so far, in order.
        after_list: Called with the page number once a page of a listing is settled, before it is sent.
    """

    def __init__(
        self, *, dialect: Dialect | None = None, seed: int = 7, populate: bool = True, limit_cap: int = 100,
        now: Callable[[], float] = time.time, api_key: str | None = None, life: Life | None = None,
        pending: Life | None = Life(),  # noqa: B008  # frozen
    ) -> None:  # fmt: skip
        self.api_key: str = api_key or f"px_emulated_{secrets.token_urlsafe(18)}"
        self.now = now
        self.requests: list[RecordedRequest] = []
        self.after_list: Callable[[int], None] | None = None
        self.life: Life = life or Life()
        self._store = Store(seed=seed, now=now, pending=pending)
        self._signer = Signer()
        self._script = Script()
        api = Api(
            store=self._store,
            life=lambda: self.life,
            dialect=dialect or Dialect(),
            limit_cap=limit_cap,
            api_key=self.api_key,
            link=self.url_for,
        )
        storage = Storage(store=self._store, signer=self._signer)
        self._servers = Servers({port.host: partial(self._answer, port) for port in (api, storage)})
        if populate:
            fill(self._store, now=now())

    def __repr__(self) -> str:
        return f"<Emulator of {len(self.exports)} exports on {self._servers!r}>"

    async def start(self) -> None:
        """Listen on two ports of 127.0.0.1 that the system picks."""
        await self._servers.start()

    async def aclose(self) -> None:
        """Stop at once, stalled connections included; closing twice does no harm."""
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
        """Where the API listens, still told after closing; `RuntimeError` before the start."""
        return self._servers.origin("api")

    @property
    def exports(self) -> tuple[StoredExport, ...]:
        """The exports that live at this moment, in creation order."""
        return self._store.alive()

    @property
    def created(self) -> tuple[str, ...]:
        """The ids of all exports that a POST has created, whatever became of them."""
        return tuple(self._store.created)

    def client(self, **options: Any) -> AsyncPackageX:
        """A client of this server, once it is started; `options` are those of `AsyncPackageX`."""
        from packagex_async import AsyncPackageX

        return AsyncPackageX(api_key=self.api_key, base_url=self.base_url, **options)

    def add_export(
        self, *, resource: ResourceName | str = "contact", status: StatusName | str = "completed",
        name: str | None = None, rows: int = 2000, error_rows: int = 0, sanitized_rows: int = 0,
        created_at: float | None = None, content: Mapping[str, bytes] | None = None,
        export_id: str | None = None,
    ) -> StoredExport:  # fmt: skip
        """Add an export.

        Args:
            resource: What it is an export of; any string will do.
            status: Where it stands; its URLs are offered once it is `"completed"`. One that is `"queued"` or
                `"processing"` goes on by itself (see `pending`).
            name: Its name, or `None` for one made up.
            rows: How many rows its CSV and its JSON have.
            error_rows: How many rows failed; with none, there is no file of errors.
            sanitized_rows: How many rows were held back; with none, there is no file of them.
            created_at: When it was asked for, in seconds since the epoch; `None` means now.
            content: The bytes of its artifacts by name (`"json"`, `"csv"`, `"csv_error"`, `"csv_sanitized"`)
                in place of made-up rows; what is not in it is not offered.
            export_id: Its id, or `None` for one made up.

        Returns:
            The export as stored.
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
        )

    def update_export(self, export_id: str, **changes: Any) -> StoredExport:
        """Change fields of a stored export, those of `StoredExport`; `updated_at` is now, unless given.

        A status that is set stays as it is.

        Raises:
            KeyError: There is no export of that id.
            TypeError: There is no such field.
        """
        return self._store.update(export_id, **changes)

    def delete_export(self, export_id: str) -> None:
        """Delete an export and its objects, so that links in hand lead nowhere; twice does no harm."""
        self._store.delete(export_id)

    def content(self, export_id: str, artifact: Artifact | ArtifactName) -> bytes:
        """The exact bytes behind an artifact; `KeyError` when there are none."""
        blob = self._store.blob(export_id, artifact)
        if blob is None:
            raise KeyError(f"{export_id} has no {artifact}")
        return blob.content

    def url_for(
        self, export_id: str, artifact: Artifact | ArtifactName, expires_in: float = _LINK_LIFETIME
    ) -> str:
        """A signed URL of an artifact that expires in `expires_in` seconds. It is a secret while it lives.

        Raises:
            RuntimeError: The emulator has not been started.
        """
        target = self._signer.sign(export_id, artifact, expires=self.now() + expires_in)
        return self._servers.origin("storage") + target

    def inject(self, fault: Fault, *, times: int | None = 1) -> None:
        """Script a fault: of those injected, a request meets the first that strikes it, and only that one.

        Args:
            fault: What goes wrong, and with which requests.
            times: How many requests it strikes; `None` means every one from now on.

        Raises:
            ValueError: `times` is less than 1.
        """
        self._script.add(fault, times)

    def _answer(self, port: Api | Storage, request: web.BaseRequest, body: bytes) -> Reply:
        target = request.raw_path
        export_id, artifact = port.locate(target.partition("?")[0])
        received = RecordedRequest(
            host=port.host,
            method=request.method,
            target=target,
            headers=CIMultiDict(request.headers),
            at=self.now(),
            export_id=export_id,
            artifact=artifact,
            body=body,
        )
        fault = self._script.take(received)
        heard = fault.hear(received, self._store)
        honest = port.answer(heard) if fault.lets_through() else Reply.of(200)
        reply = fault.answer(honest, received)
        fault.leave(self._store)
        self.requests.append(attrs.evolve(received, status=None if reply.silent else reply.status))
        if self.after_list is not None and is_listing(received) and reply.status == 200:
            self.after_list(int(received.query.get("page", "1")))
        return reply.having({"Date": formatdate(received.at, usegmt=True)})
