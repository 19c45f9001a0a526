"""The API port: authentication, listing, retrieval, and the envelope around every answer."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import attrs

from packagex_async.models import ArtifactName
from packagex_async.testing.data.dialect import ARTIFACTS, Dialect
from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.store import Store, StoredExport
from packagex_async.testing.server.create_request import Wish
from packagex_async.testing.server.listing import BadParametersError, Listing
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import Host, RecordedRequest

LIST_PATH = "/v1/exports"


def is_listing(request: RecordedRequest) -> bool:
    """Whether `request` asks for a page of exports."""
    return request.host == "api" and request.method == "GET" and request.path == LIST_PATH


@attrs.frozen(kw_only=True)
class Api:
    """Answers the requests of the API port from what `store` holds."""

    store: Store
    life: Callable[[], Life]
    dialect: Dialect
    limit_cap: int
    api_key: str = attrs.field(repr=False)
    link: Callable[[str, ArtifactName], str] = attrs.field(repr=False)

    host: Host = attrs.field(default="api", init=False)

    def locate(self, path: str) -> tuple[str | None, str | None]:
        """The export id a path names, and no artifact."""
        parent, _, name = path.rpartition("/")
        return (unquote(name) if parent == LIST_PATH and name else None), None

    def answer(self, request: RecordedRequest) -> Reply:
        """The honest answer."""
        if not self._knows(request):
            return self._error(request, 401, "The API key is missing or invalid.", "authentication.invalid")
        if request.path != LIST_PATH and request.export_id is None:
            return self._error(request, 404, "There is no such endpoint.", "endpoint.not_found")
        try:
            match request.method, request.export_id:
                case "GET", None:
                    return self._list(request)
                case "GET", _:
                    return self._retrieve(request)
                case "POST", None:
                    return self._create(request)
                case _:
                    return self._error(request, 405, "This method is not allowed.", "method.not_allowed")
        except BadParametersError as bad:
            return self._error(request, 400, "Some parameters are invalid.", "request.invalid", bad.names)

    def _knows(self, request: RecordedRequest) -> bool:
        key = request.headers.get("PX-API-KEY") or request.headers.get("X-API-KEY") or ""
        return hmac.compare_digest(key.encode(errors="replace"), self.api_key.encode())

    def _list(self, request: RecordedRequest) -> Reply:
        listing = Listing.read(request.query, limit_cap=self.limit_cap)
        selected = listing.select(self.store.alive())
        artifacts = frozenset(ARTIFACTS if self.dialect.urls_in_list else ())
        data = [self._told(export, artifacts) for export in listing.cut(selected)]
        pagination = self.dialect.pagination(
            has_more=listing.page * listing.limit < len(selected),
            page=listing.page,
            limit=listing.limit,
            total_count=len(selected),
        )
        message = "Exports retrieved successfully."
        return self._reply(200, self._envelope(request, 200, message, data=data, pagination=pagination))

    def _retrieve(self, request: RecordedRequest) -> Reply:
        artifacts = self.dialect.artifacts(
            include_csv=_flag(request, "include_csv"), include_json=_flag(request, "include_json")
        )
        export = self.store.find(request.export_id)
        if export is None:
            return self._error(request, 404, "Export not found.", "export.not_found")
        told = self._told(export, artifacts)
        if not self.dialect.enveloped:
            return self._reply(200, told)
        return self._reply(200, self._envelope(request, 200, "Export retrieved successfully.", data=told))

    def _create(self, request: RecordedRequest) -> Reply:
        wish = Wish.read(request.body)
        export = self.store.create(wish.resource, self.life(), most=wish.limit)
        told = self._told(export, frozenset())
        if not self.dialect.enveloped:
            return self._reply(201, told)
        return self._reply(201, self._envelope(request, 201, "Export created successfully.", data=told))

    def _told(self, export: StoredExport, artifacts: frozenset[ArtifactName]) -> dict[str, Any]:
        offered = export.artifacts if export.status == "completed" else ()
        urls: dict[ArtifactName, str] = {
            name: self.link(export.id, name) for name in offered if name in artifacts
        }
        return {
            "id": export.id,
            "object": "export",
            "resource": export.resource,
            "status": export.status,
            "name": export.name,
            "count_batches": export.count_batches,
            "count_total": export.count_total,
            "created_at": self.dialect.stamp(export.created_at),
            "updated_at": self.dialect.stamp(export.updated_at),
            "organization_id": export.organization_id,
            **self.dialect.urls(urls),
        }

    def _error(
        self, request: RecordedRequest, status: int, message: str, code: str, errors: tuple[str, ...] = ()
    ) -> Reply:
        return self._reply(status, self._envelope(request, status, message, errors=errors, code=code))

    def _envelope(self, request: RecordedRequest, status: int, message: str, **rest: Any) -> dict[str, Any]:
        return self.dialect.envelope(status, message, request.path, **rest)

    def _reply(self, status: int, body: object) -> Reply:
        return Reply.of(status, json.dumps(body).encode(), {"Content-Type": self.dialect.content_type})


def _flag(request: RecordedRequest, name: str) -> bool:
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise BadParametersError(name)
    return text == "true"
