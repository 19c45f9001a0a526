"""Changes of the server's data between two requests of a client."""

from __future__ import annotations

import attrs

from packagex_async.models import ResourceName, StatusName
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault, TargetedFault
from packagex_async.testing.server.api import is_list_request
from packagex_async.testing.server.request import RecordedRequest


def _requests_page(request: RecordedRequest, page: int) -> bool:
    return is_list_request(request) and request.query.get("page", "1") == str(page)


@attrs.frozen
class Delete(Fault):
    """The export `export_id` is deleted right after page `after_pages` of a listing."""

    export_id: str
    after_pages: int = attrs.field(default=1, kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return _requests_page(request, self.after_pages)

    def after_response(self, store: Store) -> None:
        store.delete(self.export_id)


@attrs.frozen
class Insert(Fault):
    """An export is added right after page `after_pages` of a listing.

    Attributes:
        resource: The exported resource.
        status: The status.
        name: The name, or `None` for a generated one.
        rows: The number of rows.
        created_at: The creation time in seconds since the epoch; `None` means now.
        export_id: The id, or `None` for a generated one.
        after_pages: The number of the page.
    """

    resource: ResourceName | str = "contact"
    status: StatusName | str = "completed"
    name: str | None = None
    rows: int = 10
    created_at: float | None = None
    export_id: str | None = None
    after_pages: int = attrs.field(default=1, kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return _requests_page(request, self.after_pages)

    def after_response(self, store: Store) -> None:
        store.add(
            resource=self.resource,
            status=self.status,
            name=self.name,
            rows=self.rows,
            created_at=self.created_at,
            export_id=self.export_id,
        )


@attrs.frozen
class Replace(TargetedFault):
    """The requested object is replaced by `content`, with a new ETag, before the response."""

    content: bytes = attrs.field(repr=False)

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        store.replace(request.export_id, request.artifact, self.content)
        return request
