"""A dlt source with the rows of all exports (extra `dlt`).

```python
import dlt
from packagex_async.integrations.dlt import exports_source

pipeline = dlt.pipeline("exports", destination="duckdb", dataset_name="packagex")
pipeline.run(exports_source(statuses=["completed"]))
```
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from packagex_async._api.requests import select_artifacts
from packagex_async._arrow.extra import require_pyarrow
from packagex_async._listing.methods import Statuses
from packagex_async.errors import ConfigurationError
from packagex_async.models import (
    Artifact,
    ArtifactName,
    Direction,
    DirectionName,
    ExportResource,
    OrderBy,
    OrderByName,
    ResourceName,
)

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.extract import DltSource

__all__ = ["ExportFilters", "exports_source", "failed_exports"]


class ExportFilters(TypedDict, total=False):
    """The filters of `exports_source`, which are those of `AsyncExports.list`."""

    resource: ExportResource | ResourceName | None
    statuses: Statuses | None
    search: str | None
    created_after: datetime | None
    created_before: datetime | None
    order_by: OrderBy | OrderByName | None
    direction: Direction | DirectionName | None
    limit: int


def exports_source(
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    artifact: Artifact | ArtifactName = "csv",
    types: Mapping[str, Any] | None = None,
    **filters: Unpack[ExportFilters],
) -> DltSource:
    """Return a dlt source that loads the rows of every export once. API: List exports, Retrieve Export.

    This needs the extra `dlt`. The source `packagex` has one resource, `exports` (for another artifact
    `exports_json` and so on), with one table per kind of export, such as `contact` and `shipment`. It yields
    Arrow tables. Rows are appended, unless the hints of the resource say otherwise.

    The rows of an export are loaded after length and hash of its artifact were verified, as far as the
    storage host declares them. The state of the resource contains the ids of the loaded exports. dlt commits
    it together with the rows, so a second run loads only new exports. Ids are forgotten after 24 hours, when
    the API has deleted the export. Each artifact has a state of its own.

    A failure of one export does not end the run. It is logged as an error of dlt, `failed_exports` returns
    it, and the next run tries again. Exports in progress are loaded by a later run.

    All columns are text unless `types` is given. Each row has three more columns: `_export_id`,
    `_export_row` (the number of the row, from 1) and `_export_created_at`. The first two are the primary key
    and the merge key.

    Memory does not grow with the size of an artifact. A large one is kept in a temporary file in the working
    directory of the pipeline until it is verified.

    Args:
        api_key: The API key; default: the environment variable `PX_API_KEY`, or else
            `sources.packagex.api_key` in the secrets of dlt.
        base_url: Base URL to use instead of that of the production environment; see `AsyncPackageX`.
        artifact: `"csv"`, `"csv_error"`, `"csv_sanitized"` or `"json"` (see `Artifact`). Arrays and objects
            in records of the JSON artifact become JSON text.
        types: Types of columns; see `AsyncExports.batches`. Exports without such a column ignore its type.
        filters: The filters and the order of `AsyncExports.list`: `resource`, `statuses`, `search`,
            `created_after`, `created_before`, `order_by`, `direction` and `limit`.

    Returns:
        A `DltSource`. No request is sent before a pipeline runs it. A run raises an error of dlt with a
        `PackageXError` as its cause: an `AuthenticationError` or a `PermissionDeniedError`; and any error of
        the listing if the run has no new rows, which would be lost.

    Raises:
        ConfigurationError: A parameter is invalid, there is no key, or dlt is not installed.
    """
    _require_dlt()
    from packagex_async.integrations.dlt.parameters import parse_parameters
    from packagex_async.integrations.dlt.source import new_source

    source: DltSource = new_source(parse_parameters(api_key, base_url, artifact, types, filters))
    return source


def failed_exports(pipeline: Pipeline, artifact: Artifact | ArtifactName = "csv") -> dict[str, str]:
    """Return the exports that the last run of `exports_source` could not load.

    Args:
        pipeline: The pipeline.
        artifact: The artifact that was loaded.

    Returns:
        The messages of the errors by the ids of the exports. The key `"listing"` is a failure of the listing.

    Raises:
        ConfigurationError: The artifact is invalid, or dlt is not installed.
    """
    (selected,) = select_artifacts([artifact])
    _require_dlt()
    from packagex_async.integrations.dlt.source import failures

    return failures(pipeline.state, selected)


def _require_dlt() -> None:
    require_pyarrow()
    try:
        importlib.import_module("dlt")
    except ImportError as error:
        raise ConfigurationError(
            f"exports_source needs the extra dlt: pip install 'packagex-async[dlt]' adds it ({error})"
        ) from error
