"""What the API talks about, frozen."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, Self

import attrs

from packagex_async._utils.redaction import redact, redact_json, sanitize
from packagex_async._utils.reprs import concise_repr

StatusName = Literal["queued", "processing", "completed", "failed", "timed_out"]
ResourceName = Literal[
    "contact", "group", "location", "shipment", "tracker", "shipping_label_inference",
    "fulfillment", "item", "manifest", "asset",
]  # fmt: skip
OrderByName = Literal["created_at", "count_batches", "count_total", "updated_at"]
DirectionName = Literal["asc", "desc"]
ArtifactName = Literal["json", "csv", "csv_error", "csv_sanitized"]
LIFETIME = timedelta(hours=24)
"""An export is deleted this long after its creation. API: Exports."""


class _OpenEnum(enum.StrEnum):
    """An enum that meets tomorrow's values as members of their own, usable as the strings they are."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Known values are recognized in capitals and with blanks or hyphens, too.
        known = cls._value2member_map_.get("_".join(value.lower().replace("-", " ").split()))
        if isinstance(known, cls):
            return known
        member = str.__new__(cls, value)
        member._name_ = value.upper()
        member._value_ = value
        return member

    def __repr__(self) -> str:
        # An unknown value is a text of the server.
        return f"<{type(self).__name__}.{sanitize(self._name_)}: {sanitize(self._value_)!r}>"


class ExportStatus(_OpenEnum):
    """Where an export stands. API: List exports, `statuses`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class ExportResource(_OpenEnum):
    """What an export holds. API: List exports, `resource`, and the vendor's overview of exports."""

    CONTACT = "contact"
    GROUP = "group"
    LOCATION = "location"
    SHIPMENT = "shipment"
    TRACKER = "tracker"
    SHIPPING_LABEL_INFERENCE = "shipping_label_inference"
    FULFILLMENT = "fulfillment"
    ITEM = "item"
    MANIFEST = "manifest"
    ASSET = "asset"


class OrderBy(enum.StrEnum):
    """The field a listing is ordered by. API: List exports, `order_by`."""

    CREATED_AT = "created_at"
    COUNT_BATCHES = "count_batches"
    COUNT_TOTAL = "count_total"
    UPDATED_AT = "updated_at"


class Direction(enum.StrEnum):
    """The order of a listing. API: List exports, `direction`."""

    ASC = "asc"
    DESC = "desc"


class Artifact(enum.StrEnum):
    """One of the four files an export may offer. API: Retrieve Exports."""

    JSON = "json"
    CSV = "csv"
    CSV_ERROR = "csv_error"
    CSV_SANITIZED = "csv_sanitized"


_MAX_NAMES = 30
"""Names of unknown fields that a repr shows."""

_NO_EXTRA: Mapping[str, Any] = MappingProxyType({})


def _read_only(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(extra)) if extra else _NO_EXTRA


def _offered(url: str | None) -> str | None:
    if url is None or isinstance(url, str):
        return url or None
    raise TypeError("a URL is a string, or None")


def _keys_only(extra: Mapping[str, Any]) -> str:
    shown = [sanitize(name, limit=60) for name in islice(extra, _MAX_NAMES)]
    return f"<{', '.join(shown + ['...'] * (len(extra) > _MAX_NAMES))}>"


def _without_secrets(text: str) -> str:
    # A member of an enum stays one.
    return type(text)(redact(text))


def _number_only(data: tuple[Export, ...]) -> str:
    return "<1 export>" if len(data) == 1 else f"<{len(data)} exports>"


# Listings hold thousands: without slots, making one costs a tenth less.
@attrs.frozen(kw_only=True, slots=False, repr=False)
class Export:
    """An export, as the API last told of it. API: Retrieve Exports, List exports.

    The four URLs are secrets for as long as they live: no repr shows them, and a pickle leaves them behind
    (`AsyncExports.download` asks for fresh ones).

    Attributes:
        id: The export's id, `exp_...`.
        object: Always `"export"` so far.
        resource: What it holds; a value unknown today is kept as it came.
        status: Where it stands; a value unknown today is kept as it came.
        name: Its name.
        count_batches: How many batches it is made of.
        count_total: How many records it holds.
        created_at: When it was asked for, aware, in UTC. It is deleted 24 hours later.
        updated_at: When it last changed, aware, in UTC.
        organization_id: Whose it is.
        json_url: Where the JSON lies (`_json_url`), or `None` when not offered.
        csv_url: Where the CSV lies (`_csv_url`), or `None`.
        csv_error_url: Where the rows that failed lie (`_csv_error_url`), or `None`.
        csv_sanitized_url: Where rows held back as potentially malicious lie, sanitized
            (`_csv_sanitized_url`), or `None`.
        extra: Fields this version does not know, and known ones it could not read, as they came.
        unread: The names of the known fields in `extra` that could not be read.
    """

    id: str
    object: str | None = None
    resource: ExportResource | None = None
    status: ExportStatus | None = None
    name: str | None = None
    count_batches: int | None = None
    count_total: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    organization_id: str | None = None
    json_url: str | None = attrs.field(default=None, converter=_offered, repr=False)
    csv_url: str | None = attrs.field(default=None, converter=_offered, repr=False)
    csv_error_url: str | None = attrs.field(default=None, converter=_offered, repr=False)
    csv_sanitized_url: str | None = attrs.field(default=None, converter=_offered, repr=False)
    extra: Mapping[str, Any] = attrs.field(
        default=_NO_EXTRA, converter=_read_only, repr=_keys_only, hash=False
    )
    unread: tuple[str, ...] = ()

    def url(self, artifact: Artifact | ArtifactName) -> str | None:
        """The presigned URL of `artifact`, or `None` when this record holds none.

        Raises:
            ValueError: There is no such artifact.
        """
        url: str | None = getattr(self, f"{Artifact(artifact).value}_url")
        return url

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts this record holds a URL for."""
        return tuple(artifact for artifact in Artifact if self.url(artifact))

    __repr__ = concise_repr

    def __getstate__(self) -> dict[str, Any]:
        state = attrs.asdict(self, recurse=False, filter=lambda field, _: not field.name.endswith("_url"))
        told = {name: _without_secrets(value) for name, value in state.items() if isinstance(value, str)}
        return state | told | {"extra": redact_json(dict(self.extra))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@attrs.frozen(kw_only=True, repr=False)
class Pagination:
    """Where a page stands in its listing; only `has_more` is promised. API: List exports, Pagination.

    Attributes:
        has_more: Whether exports remain that have not been returned.
        inferred: Whether the API did not tell `has_more`. Then it is true unless the page is empty, and the
            listing goes on until it is certainly complete.
        page: The page's number, from 1, when told.
        limit: The most exports a page holds, when told; a server may cap what was asked for.
        total_count: How many exports the listing has in all, when told.
    """

    has_more: bool
    inferred: bool = False
    page: int | None = None
    limit: int | None = None
    total_count: int | None = None

    __repr__ = concise_repr


@attrs.frozen(kw_only=True, repr=False)
class Page:
    """One page of a listing; iterating it gives its exports. API: List exports.

    Attributes:
        data: The exports of the page.
        pagination: Where it stands.
        malformed: How many items of the page are no exports, or have no usable id; `data` leaves them out.
        first_malformed: Where the first of them stands, and what is wrong with it.
    """

    data: tuple[Export, ...] = attrs.field(repr=_number_only)
    pagination: Pagination
    malformed: int = 0
    first_malformed: str | None = None

    __repr__ = concise_repr

    def __iter__(self) -> Iterator[Export]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
