"""Tables that reach the end of the resource are recorded in its state."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("dlt")
import dlt

from packagex_async.integrations.dlt._recorder import Recorder, RowsMeta


def test_tables_are_recorded(pipeline: Any) -> None:
    """A complete export is recorded by its id, and an incomplete one with its number of rows."""
    items = [{"a": 1}]
    resource = dlt.resource(
        [
            RowsMeta("contact", "exp_a", 1, is_last=True).item(items),
            RowsMeta("contact", "exp_b", 1, is_last=False).item(items),
            items,
        ],
        name="exports",
    )
    pipeline.run(resource.add_step(Recorder("exports")).add_map(lambda item: item), table_name=None)
    (source,) = pipeline.state["sources"].values()
    state = source["resources"]["exports"]
    assert [export_id for ids in state["loaded"].values() for export_id in ids] == ["exp_a"]
    assert state["partial"]["exp_b"][0] == 1


def test_filtered_tables_are_not_recorded(pipeline: Any) -> None:
    """A table that a filter removes was not loaded."""
    item = RowsMeta("contact", "exp_a", 1, is_last=True).item([{"a": 1}])
    resource = dlt.resource([item], name="exports").add_step(Recorder("exports"))
    resource.add_filter(lambda _: False)
    pipeline.run(resource)
    assert "loaded" not in str(pipeline.state.get("sources"))
