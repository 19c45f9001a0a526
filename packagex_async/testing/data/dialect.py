"""The ways of speaking that the API's documents leave open, as switches, and how each one sounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from packagex_async.models import ArtifactName

ARTIFACTS: tuple[ArtifactName, ...] = ("json", "csv", "csv_error", "csv_sanitized")


@attrs.frozen(kw_only=True)
class Dialect:
    """How the emulated API speaks.

    Attributes:
        enveloped: Whether a retrieve answers in the envelope, or with the bare export.
        timestamps: How `created_at` and `updated_at` are told.
        flags: Which include flag brings which URLs: `"crosswise"` as in the API's own page (`include_csv`
            brings the JSON's, `include_json` the others), or `"straight"`.
        urls_in_list: Whether listed exports bring all their URLs.
        absent_urls: How a URL that is not offered shows.
        pagination_fields: Which fields `pagination` has beside `has_more`.
        error_key: What the envelope calls the error's code.
        content_type: The content type of every API answer.
    """

    enveloped: bool = True
    timestamps: Literal["seconds", "milliseconds", "iso"] = "seconds"
    flags: Literal["crosswise", "straight"] = "crosswise"
    urls_in_list: bool = False
    absent_urls: Literal["missing", "null", "empty"] = "missing"
    pagination_fields: frozenset[str] = frozenset({"page", "limit", "total_count"})
    error_key: Literal["error_code", "code"] = "error_code"
    content_type: str = "application/json"

    def stamp(self, seconds: float) -> int | str:
        """A moment, as this dialect tells it."""
        if self.timestamps == "iso":
            told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
            return told.replace("+00:00", "Z")
        return int(seconds * 1000) if self.timestamps == "milliseconds" else int(seconds)

    def artifacts(self, *, include_csv: bool, include_json: bool) -> frozenset[ArtifactName]:
        """The artifacts whose URLs the two flags bring."""
        brings_json, brings_csv = include_json, include_csv
        if self.flags == "crosswise":
            brings_json, brings_csv = include_csv, include_json
        tables = ARTIFACTS[1:] if brings_csv else ()
        return frozenset((*ARTIFACTS[:1], *tables) if brings_json else tables)

    def urls(self, offered: Mapping[ArtifactName, str]) -> dict[str, str | None]:
        """The four URL fields, of which only `offered` (artifact to URL) hold one."""
        shown = offered if self.absent_urls == "missing" else ARTIFACTS
        absent = "" if self.absent_urls == "empty" else None
        return {f"_{artifact}_url": offered.get(artifact, absent) for artifact in shown}

    def pagination(self, *, has_more: bool, **fields: int) -> dict[str, int | bool]:
        """The `pagination` object, with as many of `fields` as this dialect tells."""
        told = {name: number for name, number in fields.items() if name in self.pagination_fields}
        return {**told, "has_more": has_more}

    def envelope(
        self, status: int, message: str, endpoint: str, *, data: Any = None, pagination: Any = None,
        errors: tuple[str, ...] = (), code: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The one shape of every answer. API: Responses."""
        return {
            "status": status,
            "message": message,
            "data": data,
            "errors": list(errors),
            self.error_key: code,
            "pagination": pagination,
            "events": [],
            "endpoint": endpoint,
        }
