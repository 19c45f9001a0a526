"""The parameters of the source."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import attrs
import dlt
import pyarrow as pa
from dlt.common.typing import TSecretStrValue

from packagex_async._api.requests import select_artifacts
from packagex_async._arrow.types import parse_types
from packagex_async._utils.call_site import CallSite, find_call_site
from packagex_async.client import KEY_VARIABLE, AsyncPackageX
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export

_SECTIONS = ("sources", "packagex")
"""The sections of the key in the configuration of dlt."""

FILTERS = (
    "created_after", "created_before", "direction", "limit", "order_by", "resource", "search", "statuses",
)  # fmt: skip


@attrs.frozen(eq=False, repr=False)
class SourceParameters:
    """The validated parameters of a source.

    Attributes:
        new_client: Returns a new client.
        list_exports: Lists the exports with a client.
        artifact: The artifact to load.
        types: The types of columns.
        call_site: The line of the user's code that created the source, for warnings.
    """

    new_client: Callable[[], AsyncPackageX]
    list_exports: Callable[[AsyncPackageX], AsyncGenerator[Export, None]]
    artifact: Artifact
    types: Mapping[str, pa.DataType]
    call_site: CallSite


def parse_parameters(
    api_key: str | None,
    base_url: str | None,
    artifact: str,
    types: Mapping[str, Any] | None,
    filters: Mapping[str, Any],
) -> SourceParameters:
    """Validate the parameters of a source, without a request.

    Raises:
        ConfigurationError: A parameter is invalid.
    """
    if unknown := [name for name in filters if name not in FILTERS]:
        raise ConfigurationError(
            f"unknown filter {', '.join(map(repr, unknown))}: the filters are {', '.join(FILTERS)}"
        )
    (selected,) = select_artifacts([artifact])
    key = api_key if api_key is not None or os.environ.get(KEY_VARIABLE) else _configured_key()

    # A `functools.partial` would show the key in its repr.
    def new_client() -> AsyncPackageX:
        return AsyncPackageX(key, base_url=base_url)

    def list_exports(client: AsyncPackageX) -> AsyncGenerator[Export, None]:
        return client.exports.list(**filters)

    list_exports(new_client())
    return SourceParameters(new_client, list_exports, selected, parse_types(types), find_call_site())


def _configured_key() -> str | None:
    """Return the key from the configuration of dlt, such as its `secrets.toml`.

    `dlt.secrets.get` would record the key in the trace of the pipeline.
    """
    hint: Any = TSecretStrValue
    for provider in dlt.secrets.config_providers:
        value, _ = provider.get_value("api_key", hint, None, *_SECTIONS)
        if isinstance(value, str):
            return value
    return None
