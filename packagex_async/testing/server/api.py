"""The API server: authentication, listing, retrieval, creation, and the response envelope."""

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
from packagex_async.testing.server.create_request import CreateRequest
from packagex_async.testing.server.listing import InvalidParametersError, ListParameters
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import Host, RecordedRequest

EXPORTS_PATH = "/v1/exports"


def is_list_request(request: RecordedRequest) -> bool:
    """Return whether `request` asks for a page of a listing."""
    return request.host == "api" and request.method == "GET" and request.path == EXPORTS_PATH


@attrs.frozen(kw_only=True)
class Api:
    """Answers API requests about the exports in `store`.

    Attributes:
        store: The exports.
        life: Returns the course of the next export that is created.
        dialect: The format of the responses.
        limit_cap: The maximum number of exports on a page.
        api_key: The accepted key.
        sign_url: Returns a signed URL for an export id and an artifact.
        host: The name of this server.
    """

    store: Store
    life: Callable[[], Life]
    dialect: Dialect
    limit_cap: int
    api_key: str = attrs.field(repr=False)
    sign_url: Callable[[str, ArtifactName], str] = attrs.field(repr=False)

    host: Host = attrs.field(default="api", init=False)

    def parse_path(self, path: str) -> tuple[str | None, str | None]:
        """Return the export id in `path`, and `None` for the artifact."""
        parent, _, name = path.rpartition("/")
        return (unquote(name) if parent == EXPORTS_PATH and name else None), None

    def respond(self, request: RecordedRequest) -> Reply:
        """Return the regular response to `request`."""
        if not self._is_authenticated(request):
            return self._error(request, 401, "The API key is missing or invalid.", "authentication.invalid")
        if request.path != EXPORTS_PATH and request.export_id is None:
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
        except InvalidParametersError as error:
            return self._error(request, 400, "Some parameters are invalid.", "request.invalid", error.names)

    def _is_authenticated(self, request: RecordedRequest) -> bool:
        key = request.headers.get("PX-API-KEY") or request.headers.get("X-API-KEY") or ""
        return hmac.compare_digest(key.encode(errors="replace"), self.api_key.encode())

    def _list(self, request: RecordedRequest) -> Reply:
        parameters = ListParameters.parse(request.query, limit_cap=self.limit_cap)
        selected = parameters.select(self.store.exports())
        artifacts = frozenset(ARTIFACTS if self.dialect.urls_in_list else ())
        data = [self._serialize(export, artifacts) for export in parameters.paginate(selected)]
        pagination = self.dialect.pagination(
            has_more=parameters.page * parameters.limit < len(selected),
            page=parameters.page,
            limit=parameters.limit,
            total_count=len(selected),
        )
        message = "Exports retrieved successfully."
        return self._reply(200, self._envelope(request, 200, message, data=data, pagination=pagination))

    def _retrieve(self, request: RecordedRequest) -> Reply:
        artifacts = self.dialect.included_artifacts(
            include_csv=_parse_flag(request, "include_csv"), include_json=_parse_flag(request, "include_json")
        )
        export = self.store.get(request.export_id)
        if export is None:
            return self._error(request, 404, "Export not found.", "export.not_found")
        data = self._serialize(export, artifacts)
        if not self.dialect.enveloped:
            return self._reply(200, data)
        return self._reply(200, self._envelope(request, 200, "Export retrieved successfully.", data=data))

    def _create(self, request: RecordedRequest) -> Reply:
        body = CreateRequest.parse(request.body)
        export = self.store.create(body.resource, self.life(), max_rows=body.limit)
        data = self._serialize(export, frozenset())
        if not self.dialect.enveloped:
            return self._reply(201, data)
        return self._reply(201, self._envelope(request, 201, "Export created successfully.", data=data))

    def _serialize(self, export: StoredExport, artifacts: frozenset[ArtifactName]) -> dict[str, Any]:
        available = export.artifacts if export.status == "completed" else ()
        urls: dict[ArtifactName, str] = {
            name: self.sign_url(export.id, name) for name in available if name in artifacts
        }
        return {
            "id": export.id,
            "object": "export",
            "resource": export.resource,
            "status": export.status,
            "name": export.name,
            "count_batches": export.count_batches,
            "count_total": export.count_total,
            "created_at": self.dialect.format_timestamp(export.created_at),
            "updated_at": self.dialect.format_timestamp(export.updated_at),
            "organization_id": export.organization_id,
            **self.dialect.url_fields(urls),
        }

    def _error(
        self, request: RecordedRequest, status: int, message: str, code: str, errors: tuple[str, ...] = ()
    ) -> Reply:
        return self._reply(status, self._envelope(request, status, message, errors=errors, code=code))

    def _envelope(self, request: RecordedRequest, status: int, message: str, **rest: Any) -> dict[str, Any]:
        return self.dialect.envelope(status, message, request.path, **rest)

    def _reply(self, status: int, body: object) -> Reply:
        return Reply.of(status, json.dumps(body).encode(), {"Content-Type": self.dialect.content_type})


def _parse_flag(request: RecordedRequest, name: str) -> bool:
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidParametersError(name)
    return text == "true"
