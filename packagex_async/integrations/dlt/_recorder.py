"""The last step of the resource, which records the rows that are loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import dlt
from dlt.extract.items import DataItemWithMeta, TableNameMeta
from dlt.extract.items_transform import ItemTransform

from packagex_async.integrations.dlt.state import LoadState


class RowsMeta(TableNameMeta):
    """The position of a table in its export.

    Attributes:
        export_id: The id of the export.
        end: The number of rows of the export up to the end of the table.
        is_last: Whether no more rows follow.
    """

    def __init__(self, table_name: str, export_id: str, end: int, *, is_last: bool) -> None:
        super().__init__(table_name)
        self.export_id: str = export_id
        self.end: int = end
        self.is_last: bool = is_last

    def item(self, table: Any) -> DataItemWithMeta:
        """Return what the resource yields for a table."""
        return DataItemWithMeta(self, table)


class Recorder(ItemTransform):
    """Records each table that is loaded. A limit of the resource may drop tables before this step.

    Args:
        resource: The name of the resource.
    """

    placement_affinity: ClassVar[float] = 2.0

    def __init__(self, resource: str) -> None:
        super().__init__(self.__call__)
        self._resource = resource

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Record a table, and return it."""
        if isinstance(meta, RowsMeta):
            state = LoadState(dlt.current.resource_state(self._resource), datetime.now(UTC))
            if meta.is_last:
                state.record_export(meta.export_id)
            else:
                state.record_rows(meta.export_id, meta.end)
        return item
