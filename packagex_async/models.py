"""The records of the API: exports, artifacts and pages. All of them are immutable."""

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
    """A string enum that accepts unknown values, which become members of the enum, too."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Accept known values in upper case, and with spaces or hyphens.
        known = cls._value2member_map_.get("_".join(value.lower().replace("-", " ").split()))
        if isinstance(known, cls):
            return known
        member = str.__new__(cls, value)
        member._name_ = value.upper()
        member._value_ = value
        return member

    def __repr__(self) -> str:
        # An unknown value is text from the server.
        return f"<{type(self).__name__}.{sanitize(self._name_)}: {sanitize(self._value_)!r}>"


class ExportStatus(_OpenEnum):
    """The status of an export. API: List exports, `statuses`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class ExportResource(_OpenEnum):
    """The kind of records in an export. API: List exports, `resource`, and the overview of exports."""

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
    """The field by which a listing is ordered. API: List exports, `order_by`."""

    CREATED_AT = "created_at"
    COUNT_BATCHES = "count_batches"
    COUNT_TOTAL = "count_total"
    UPDATED_AT = "updated_at"


class Direction(enum.StrEnum):
    """The order of a listing. API: List exports, `direction`."""

    ASC = "asc"
    DESC = "desc"


class Artifact(enum.StrEnum):
    """One of the four files that an export may offer. API: Retrieve Exports."""

    JSON = "json"
    CSV = "csv"
    CSV_ERROR = "csv_error"
    CSV_SANITIZED = "csv_sanitized"


_URL_FIELDS = {artifact: f"{artifact.value}_url" for artifact in Artifact}

_MAX_SHOWN_NAMES = 30
"""Names of unknown fields that a repr shows."""

NO_EXTRA: Mapping[str, Any] = MappingProxyType({})
"""The unknown fields of an export that has none."""


def _read_only(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(extra)) if extra else NO_EXTRA


def _url_or_none(url: str | None) -> str | None:
    if url is None or isinstance(url, str):
        return url or None
    raise TypeError("a URL must be a string or None")


def _names_only(extra: Mapping[str, Any]) -> str:
    names = [sanitize(name, limit=60) for name in islice(extra, _MAX_SHOWN_NAMES)]
    return f"<{', '.join(names + ['...'] * (len(extra) > _MAX_SHOWN_NAMES))}>"


def _redacted(text: str) -> str:
    # Keeps the members of enums.
    return type(text)(redact(text))


def _count_only(data: tuple[Export, ...]) -> str:
    return "<1 export>" if len(data) == 1 else f"<{len(data)} exports>"


# A listing may contain thousands of exports. Creating one takes 10 % less time without slots.
@attrs.frozen(kw_only=True, slots=False, repr=False)
class Export:
    """An export, in the state in which the API returned it. API: Retrieve Exports, List exports.

    The four URLs are secrets until they expire. They are not part of any repr or pickle.
    `AsyncExports.download` requests new URLs if necessary.

    Attributes:
        id: The id of the export, `exp_...`.
        object: Always `"export"` so far.
        resource: The kind of records in the export. An unknown value is kept.
        status: The status. An unknown value is kept.
        name: The name.
        count_batches: The number of batches.
        count_total: The number of records.
        created_at: The time of creation, aware, in UTC. The export is deleted 24 hours later.
        updated_at: The time of the last change, aware, in UTC.
        organization_id: The id of the organization that owns the export.
        json_url: The URL of the JSON file (`_json_url`), or `None` if it is not offered.
        csv_url: The URL of the CSV file (`_csv_url`), or `None` if it is not offered.
        csv_error_url: The URL of the rows that failed (`_csv_error_url`), or `None` if it is not offered.
        csv_sanitized_url: The URL of the sanitized rows that were withheld as potentially malicious
            (`_csv_sanitized_url`), or `None` if it is not offered.
        extra: Fields that this version does not know, and known ones with an invalid value, unchanged.
        unread: The names of the known fields in `extra`, whose value is invalid.
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
    json_url: str | None = attrs.field(default=None, converter=_url_or_none, repr=False)
    csv_url: str | None = attrs.field(default=None, converter=_url_or_none, repr=False)
    csv_error_url: str | None = attrs.field(default=None, converter=_url_or_none, repr=False)
    csv_sanitized_url: str | None = attrs.field(default=None, converter=_url_or_none, repr=False)
    extra: Mapping[str, Any] = attrs.field(
        default=NO_EXTRA, converter=_read_only, repr=_names_only, hash=False
    )
    unread: tuple[str, ...] = ()

    def url(self, artifact: Artifact | ArtifactName) -> str | None:
        """Return the presigned URL of `artifact`, or `None` if this record has none.

        Raises:
            ValueError: `artifact` is not the name of an artifact.
        """
        url: str | None = getattr(self, _URL_FIELDS[Artifact(artifact)])
        return url

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts for which this record has a URL."""
        return tuple(artifact for artifact in Artifact if self.url(artifact))

    __repr__ = concise_repr

    def __getstate__(self) -> dict[str, Any]:
        state = attrs.asdict(self, recurse=False, filter=lambda field, _: not field.name.endswith("_url"))
        texts = {name: _redacted(value) for name, value in state.items() if isinstance(value, str)}
        return state | texts | {"extra": redact_json(dict(self.extra))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@attrs.frozen(kw_only=True, repr=False)
class Pagination:
    """The position of a page in its listing. API: List exports, Pagination.

    Attributes:
        has_more: Whether there are exports after this page.
        inferred: Whether the API did not return `has_more`. Then `has_more` is true unless the page is empty,
            and listing continues until it is certainly complete.
        page: The number of the page, from 1, if the API returned it.
        limit: The maximum number of exports on a page, if returned. It may be lower than requested.
        total_count: The number of exports in the whole listing, if the API returned it.
    """

    has_more: bool
    inferred: bool = False
    page: int | None = None
    limit: int | None = None
    total_count: int | None = None

    __repr__ = concise_repr


@attrs.frozen(kw_only=True, repr=False)
class Page:
    """A page of a listing, which can be iterated. API: List exports.

    Attributes:
        data: The exports of the page.
        pagination: The position of the page in its listing.
        malformed: The number of items that are not exports or have no usable id. They are not in `data`.
        first_malformed: The position of the first malformed item, and what is wrong with it.
    """

    data: tuple[Export, ...] = attrs.field(repr=_count_only)
    pagination: Pagination
    malformed: int = 0
    first_malformed: str | None = None

    __repr__ = concise_repr

    def __iter__(self) -> Iterator[Export]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
