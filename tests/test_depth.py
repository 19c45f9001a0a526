"""JSON values may be nested to any depth without harm to what visits them."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from packagex_async._depth import MAX_DEPTH, TOO_DEEP, limit_depth

from packagex_async import Export


def nested(depth: int, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
    value: Any = "innermost"
    for _ in range(depth):
        value = {"in": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_what_is_not_nested_deeply_stays_as_it_is(kind: Any) -> None:
    """To the last level that is allowed."""
    assert limit_depth(nested(MAX_DEPTH, kind)) == nested(MAX_DEPTH, kind)
    cut = json.dumps(limit_depth(nested(MAX_DEPTH + 1, kind)))
    assert TOO_DEEP in cut
    assert "innermost" not in cut


@pytest.mark.parametrize("kind", [dict, list])
def test_an_export_with_deep_fields_can_be_pickled_and_shown(kind: Any) -> None:
    """What is too deep is left behind."""
    export = Export(id="exp_1", extra={"deep": nested(900, kind), "flat": {"a": [1]}})
    thawed = pickle.loads(pickle.dumps(export))
    assert thawed.extra["flat"] == {"a": [1]}
    assert TOO_DEEP in json.dumps(thawed.extra["deep"])
    assert repr(export) == "Export(id='exp_1', extra=<deep, flat>)"
