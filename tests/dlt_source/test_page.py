"""The examples of the page about dlt run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_examples import run_page


@pytest.mark.filterwarnings("default")
def test_examples_run(tmp_path: Path) -> None:
    """All blocks of the page run in order."""
    run_page(ROOT / "docs/how-to/dlt.md", tmp_path)
