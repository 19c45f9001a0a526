"""The state of the resource contains the loaded exports, and does not grow without limit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from packagex_async.integrations.dlt.state import LoadState

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def after(hours: float, state: dict[str, Any]) -> LoadState:
    return LoadState(state, NOW + timedelta(hours=hours))


def test_loaded_exports() -> None:
    """An export is known to later runs, after a round trip through JSON."""
    state: dict[str, Any] = {}
    after(0, state).record_export("exp_a")
    later = after(1, json.loads(json.dumps(state)))
    assert later.is_loaded("exp_a")
    assert not later.is_loaded("exp_b")


def test_ids_are_forgotten() -> None:
    """An id is forgotten a day after it was loaded, but not while the export is listed."""
    state: dict[str, Any] = {}
    after(0, state).record_export("exp_a")
    after(0, state).record_export("exp_b")
    after(0, state).record_rows("exp_c", 7)
    after(0, state).record_rows("exp_d", 7)
    after(10, state).record_export("exp_e")
    after(24, state).forget_deleted()
    assert after(24, state).is_loaded("exp_a")
    late = after(27, state)
    assert late.is_loaded("exp_a")
    assert not late.is_loaded("exp_d")
    late.forget_deleted()
    assert {name for name in ("exp_a", "exp_b", "exp_e") if after(27, state).is_loaded(name)} == {
        "exp_a",
        "exp_e",
    }
    assert (late.loaded_rows("exp_c"), late.loaded_rows("exp_d")) == (0, 7)
    after(60, state).forget_deleted()
    assert state == {"loaded": {}}


def test_partial_export() -> None:
    """The rows of an export that are loaded are known until the export is complete."""
    state: dict[str, Any] = {}
    assert after(0, state).loaded_rows("exp_a") == 0
    after(0, state).record_rows("exp_a", 10)
    after(0, state).record_rows("exp_a", 20)
    assert not after(1, state).is_loaded("exp_a")
    assert after(1, state).loaded_rows("exp_a") == 20
    after(1, state).record_export("exp_a")
    assert after(1, state).loaded_rows("exp_a") == 0
    assert "partial" not in state


def test_failures() -> None:
    """Only the failures of the last run are kept."""
    state: dict[str, Any] = {}
    after(0, state).set_failures({"exp_a": "x"})
    assert state == {"failed": {"exp_a": "x"}}
    after(0, state).set_failures({})
    assert state == {}
