"""Variants of the API's responses in points that its documentation leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from packagex_async.models import ArtifactName

ARTIFACTS: tuple[ArtifactName, ...] = ("json", "csv", "csv_error", "csv_sanitized")


@attrs.frozen(kw_only=True)
class Dialect:
    """The format of the emulated API's responses.

    Attributes:
        enveloped: Whether a single export is returned in the envelope.
        timestamps: The format of `created_at` and `updated_at`.
        flags: The URLs that the include flags request. `"crosswise"`, as documented by the API: `include_csv`
            adds the URL of the JSON file and `include_json` those of the CSV files. `"straight"`: each flag
            adds the URLs that it names.
        urls_in_list: Whether listed exports contain all their URLs.
        absent_urls: The representation of the URL of an artifact that is not available.
        pagination_fields: The fields of `pagination` in addition to `has_more`.
        error_key: The name of the error code in the envelope.
        content_type: The content type of every API response.
    """

    enveloped: bool = True
    timestamps: Literal["seconds", "milliseconds", "iso"] = "seconds"
    flags: Literal["crosswise", "straight"] = "crosswise"
    urls_in_list: bool = False
    absent_urls: Literal["missing", "null", "empty"] = "missing"
    pagination_fields: frozenset[str] = frozenset({"page", "limit", "total_count"})
    error_key: Literal["error_code", "code"] = "error_code"
    content_type: str = "application/json"

    def format_timestamp(self, seconds: float) -> int | str:
        """Return a time, given in seconds since the epoch, in the format of this dialect."""
        if self.timestamps == "iso":
            text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
            return text.replace("+00:00", "Z")
        return int(seconds * 1000) if self.timestamps == "milliseconds" else int(seconds)

    def included_artifacts(self, *, include_csv: bool, include_json: bool) -> frozenset[ArtifactName]:
        """Return the artifacts whose URLs the two include flags request."""
        json, csv = include_json, include_csv
        if self.flags == "crosswise":
            json, csv = include_csv, include_json
        csv_artifacts = ARTIFACTS[1:] if csv else ()
        return frozenset((*ARTIFACTS[:1], *csv_artifacts) if json else csv_artifacts)

    def url_fields(self, urls: Mapping[ArtifactName, str]) -> dict[str, str | None]:
        """Return the URL fields of an export, given the URLs of its available artifacts."""
        names = urls if self.absent_urls == "missing" else ARTIFACTS
        absent = "" if self.absent_urls == "empty" else None
        return {f"_{artifact}_url": urls.get(artifact, absent) for artifact in names}

    def pagination(self, *, has_more: bool, **fields: int) -> dict[str, int | bool]:
        """Return the `pagination` object with those of `fields` that this dialect includes."""
        included = {name: number for name, number in fields.items() if name in self.pagination_fields}
        return {**included, "has_more": has_more}

    def envelope(
        self, status: int, message: str, endpoint: str, *, data: Any = None, pagination: Any = None,
        errors: tuple[str, ...] = (), code: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the envelope of a response. API: Responses."""
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
