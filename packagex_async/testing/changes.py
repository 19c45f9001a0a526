"""What changes on the far side while a client is at work: exports come and go, objects are replaced."""

from __future__ import annotations

import attrs

from packagex_async.models import ResourceName, StatusName
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault, TargetedFault
from packagex_async.testing.server.api import is_listing
from packagex_async.testing.server.request import RecordedRequest


def _is_page(request: RecordedRequest, page: int) -> bool:
    return is_listing(request) and request.query.get("page", "1") == str(page)


@attrs.frozen
class Delete(Fault):
    """The export `export_id` is deleted right after page `after_pages` of a listing has been answered."""

    export_id: str
    after_pages: int = attrs.field(default=1, kw_only=True)

    def strikes(self, request: RecordedRequest) -> bool:
        return _is_page(request, self.after_pages)

    def leave(self, store: Store) -> None:
        store.delete(self.export_id)


@attrs.frozen
class Insert(Fault):
    """An export is added right after page `after_pages` of a listing has been answered.

    Attributes:
        resource: What it is an export of.
        status: Where it stands.
        name: Its name, or `None` for one made up.
        rows: How many rows it has.
        created_at: When it was asked for, in seconds since the epoch; `None` means now.
        export_id: Its id, or `None` for one made up.
        after_pages: The number of that page.
    """

    resource: ResourceName | str = "contact"
    status: StatusName | str = "completed"
    name: str | None = None
    rows: int = 10
    created_at: float | None = None
    export_id: str | None = None
    after_pages: int = attrs.field(default=1, kw_only=True)

    def strikes(self, request: RecordedRequest) -> bool:
        return _is_page(request, self.after_pages)

    def leave(self, store: Store) -> None:
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
    """The object a request is about is replaced by `content`, with a new ETag, before it is answered."""

    content: bytes = attrs.field(repr=False)

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        store.replace(request.export_id, request.artifact, self.content)
        return request
