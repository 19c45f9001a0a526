"""The presigned URL of an artifact."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import attrs

from packagex_async.models import Artifact

_BASIC_FORMAT = "%Y%m%dT%H%M%SZ"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadUrl:
    """The presigned URL of an artifact.

    Attributes:
        export_id: The id of the export.
        artifact: The artifact.
        url: The URL, exactly as the API has sent it.
        version: The number of times that the URLs of the export had been refreshed.
    """

    export_id: str
    artifact: Artifact
    url: str = attrs.field(repr=False)
    version: int = 0

    @property
    def expires_at(self) -> float | None:
        """When the URL expires according to its query, in seconds since the epoch; `None` if unknown."""
        try:
            query = {name.lower(): value for name, value in parse_qsl(urlsplit(self.url).query)}
            for vendor in ("x-amz", "x-goog"):
                if f"{vendor}-expires" in query:
                    signed_at = datetime.strptime(query[f"{vendor}-date"], _BASIC_FORMAT).replace(tzinfo=UTC)
                    return signed_at.timestamp() + float(query[f"{vendor}-expires"])
            if "se" in query:
                expiry = datetime.fromisoformat(query["se"])
                return (expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)).timestamp()
            return next((float(query[name]) for name in ("expires", "exp", "e") if name in query), None)
        except (KeyError, ValueError):
            return None
