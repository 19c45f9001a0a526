"""Requests to the Exports API, and the validation of their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

import attrs

from packagex_async import errors
from packagex_async._api.fields import is_id
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ApiError, ConfigurationError
from packagex_async.models import Artifact

EXPORTS_PATH = "/v1/exports"
_REQUEST_TIMEOUT = 408


@attrs.frozen(eq=False, repr=False)
class Request:
    """One request to the API.

    Attributes:
        method: `GET`, or `POST` to create an export.
        target: The path and query.
        body: The JSON body.
    """

    method: str
    target: str
    body: bytes | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    def may_have_succeeded(self, failure: errors.PackageXError, *, connected: bool) -> bool:
        """Return whether a failed request may have created an export.

        A GET creates nothing. Without a connection, the request was not sent. After a 4xx, the API has not
        carried it out, except after a 408, which a gateway may send after it has forwarded the request. All
        other failures are ambiguous.

        Args:
            failure: The error of the request.
            connected: Whether there was a connection.
        """
        if self.method == "GET" or not connected:
            return False
        if isinstance(failure, ApiError):
            return failure.status >= 500 or failure.status == _REQUEST_TIMEOUT
        return True

    def __str__(self) -> str:
        return sanitize(f"{self.method} {self.path}")


def export_target(export_id: str, *, include_csv: bool, include_json: bool) -> str:
    """Return the path and query of a request for one export. API: Retrieve Export.

    Raises:
        ConfigurationError: `export_id` is not a valid id.
    """
    if not is_id(export_id):
        raise ConfigurationError(f"export_id must be an export's id, like 'exp_...', not {export_id!r}")
    flags = {"include_csv": include_csv, "include_json": include_json}
    query = urlencode({name: "true" for name, included in flags.items() if included})
    return f"{EXPORTS_PATH}/{quote(export_id, safe='')}" + (f"?{query}" if query else "")


def check_integer(name: str, value: int, *, min_value: int) -> int:
    """Return the value of the parameter `name`.

    Raises:
        ConfigurationError: It is not an integer, or less than `min_value`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < min_value:
        raise ConfigurationError(f"{name} must be a whole number from {min_value} up, not {value!r}")
    return value


def select_artifacts(artifacts: Iterable[Artifact | str] | str | None) -> tuple[Artifact, ...]:
    """Return the artifacts that a caller names, or all four if it names none.

    Raises:
        ConfigurationError: A name is unknown, or the selection is empty.
    """
    if artifacts is None:
        return tuple(Artifact)
    names = {artifacts} if isinstance(artifacts, str) else set(artifacts)
    if not names or not names <= set(Artifact):
        given = ", ".join(sorted(map(repr, map(str, names)))) or "none"
        raise ConfigurationError(f"artifacts must be some of {', '.join(Artifact)}, not {given}")
    return tuple(artifact for artifact in Artifact if artifact in names)
