"""The fault matrix in the docs lists exactly the test cases."""

from __future__ import annotations

import runpy
from pathlib import Path

FAULTS = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "faults.py"))


def test_the_page_is_current() -> None:
    """`python docs/faults.py` would not change the page."""
    assert FAULTS["PAGE"].read_text(encoding="utf-8") == FAULTS["page"]()


def test_every_case_states_a_guarantee() -> None:
    """No row of a table has an empty guarantee."""
    rows = [line for line in FAULTS["page"]().splitlines() if line.startswith("| ")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []
