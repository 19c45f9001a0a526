"""The fault matrix is public: its page in the docs tells of every case, and of no other."""

from __future__ import annotations

import runpy
from pathlib import Path

FAULTS = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "faults.py"))


def test_the_page_is_current() -> None:
    """`python docs/faults.py` would write what is there."""
    assert FAULTS["PAGE"].read_text(encoding="utf-8") == FAULTS["page"]()


def test_every_case_states_its_promise() -> None:
    """In each line of each table."""
    rows = [line for line in FAULTS["page"]().splitlines() if line.startswith("| ")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []
