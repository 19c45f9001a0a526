"""The headline of the speed page quotes the results of the benchmark."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT


def test_the_headline_quotes_the_results() -> None:
    """The ratio to curl is the rounded figure in the table."""
    page = (ROOT / "docs/explanation/speed.md").read_text(encoding="utf-8")
    results = (ROOT / "benchmarks/results/speed.md").read_text(encoding="utf-8")
    (quoted,) = re.findall(r"^A file of 1 GiB takes (\S+) times as long as with curl", page, re.MULTILINE)
    (measured,) = re.findall(r"^\| one file of 1 GiB \| time vs curl \| (\S+) ", results, re.MULTILINE)
    assert quoted == f"{float(measured):.2f}"
