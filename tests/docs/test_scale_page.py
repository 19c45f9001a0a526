"""The page on capacity planning quotes the measurements, and its arithmetic is right."""

from __future__ import annotations

import json
import math
import re
from statistics import median

import pytest

from packagex_async._bucket_sync.state import _MAX_LISTED
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/explanation/scale.md").read_text(encoding="utf-8")
SCALE: dict[str, dict[str, float]] = json.loads((ROOT / "benchmarks/results/scale.json").read_text("utf-8"))
SPEED: dict[str, dict[str, list[dict[str, float]]]] = json.loads(
    (ROOT / "benchmarks/results/speed.json").read_text(encoding="utf-8")
)["runs"]

OPERATORS = str.maketrans(
    {"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/", "\N{MINUS SIGN}": "-", ",": ""}
)

TOLERANCE = 0.06
"""Results are rounded to two digits."""


def rows(*header: str) -> list[list[str]]:
    """Return the cells of all tables with this header."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        if tuple(lines[0]) == header:
            found += lines[2:]
    return found


def number(text: str) -> float:
    """Return the first number of a text."""
    (value, *_) = re.findall(r"\d[\d,]*\.?\d*", text)
    return float(value.replace(",", ""))


def speed(workload: str, contender: str, figure: str) -> float:
    """Return a median of the speed benchmark."""
    return median(run[figure] for run in SPEED[workload][contender])


def cpu_per_gib(destination: str) -> float:
    """Return the CPU seconds to download 1 GiB of artifacts of 25 MiB."""
    return SCALE[f"export of 4 x 25 MiB into a {destination}"]["CPU seconds per GiB"]


START_UP = speed("memory", "idle", "cpu")
LARGE_MANIFEST = SCALE["manifest with 4,000,000 entries"]
LARGE_BUCKET = SCALE["bucket with 100,000 objects"]
LOOKUP = SCALE["export of 4 x 20 KiB into a bucket, with `download`"]
SMALL_EXPORT = SCALE["export of 4 x 20 KiB into a directory"]

MEASURED = {
    "requests to the API for a new export": SMALL_EXPORT["first run: requests to the api"],
    "requests to the storage host for a new export": SMALL_EXPORT["first run: requests to the storage"],
    "requests of `list` for a page of 100 exports, if exports are created and deleted meanwhile": SCALE[
        "`list` with 200 pages that change"
    ]["requests per page"],
    "writes to a bucket for a new export with artifacts of 20 KiB": SCALE[
        "export of 4 x 20 KiB into a bucket"
    ]["first run: writes to the bucket"],
    "writes to a bucket for a new export with artifacts of 25 MiB": SCALE[
        "export of 4 x 25 MiB into a bucket"
    ]["first run: writes to the bucket"],
    "download of 1 GiB over TLS into a directory, CPU seconds": speed("tls", "ours", "cpu") - START_UP,
    "download of 1 GiB over TLS into a directory, seconds": speed("tls", "ours", "transfer"),
    "download of 1 GiB into a bucket, CPU seconds more than into a directory": cpu_per_gib("bucket")
    - cpu_per_gib("directory"),
    "download of an export with artifacts of 20 KiB, CPU seconds": (speed("small", "ours", "cpu") - START_UP)
    / 500,
    "`list` of 100,000 exports, CPU seconds": SCALE["`list` with 100,000 exports"]["CPU seconds"],
    "`watch` of 100,000 exports, MiB of memory": SCALE["first poll of `watch` with 100,000 exports"][
        "MiB of memory"
    ],
    **{
        f"manifest with {entries} entries, CPU seconds until it is read": SCALE[
            f"manifest with {entries} entries"
        ]["CPU seconds"]
        for entries in ("50,000", "1,000,000", "4,000,000")
    },
    "manifest with 4,000,000 entries, MiB of memory": LARGE_MANIFEST["MiB of memory"],
    "manifest with 4,000,000 entries, MiB of the file": LARGE_MANIFEST["MiB of the file"],
    "bucket with 100,000 objects, CPU seconds until they are listed": LARGE_BUCKET["CPU seconds"],
    "bucket with 100,000 objects, MiB of memory": LARGE_BUCKET["MiB of memory"],
    "list requests to a bucket for an export whose objects are looked up separately": LOOKUP[
        "first run: list requests to the bucket"
    ],
    "reads from a bucket for an export that was downloaded before": LOOKUP[
        "second run: reads from the bucket"
    ],
}
"""The measured values of all rows of the first table."""

COMPUTATIONS = rows("need", "computation", "result") + rows("limit", "computation", "result")
MEASUREMENTS = rows("measurement", "figure", "source")


@pytest.mark.parametrize("row", COMPUTATIONS, ids=lambda row: str(row[0]))
def test_computations_are_right(row: list[str]) -> None:
    """Each result is the value of its computation, up to rounding."""
    _, computation, result = row
    expression = computation.translate(OPERATORS)
    assert re.fullmatch(r"[\d.()*/+\- ]+", expression)
    assert math.isclose(eval(expression), number(result), rel_tol=TOLERANCE)


@pytest.mark.parametrize(("name", "value"), MEASURED.items())
def test_measurements_are_those_of_the_benchmarks(name: str, value: float) -> None:
    """Each quoted figure is that of the benchmark, up to rounding."""
    (quoted,) = (figure for measurement, figure, _ in MEASUREMENTS if measurement == name)
    assert math.isclose(value, number(quoted), rel_tol=TOLERANCE)


def test_objects_are_listed_up_to_the_limit_of_the_code() -> None:
    """The page states after how many objects the listing of a bucket stops."""
    (computation,) = (row[1] for row in COMPUTATIONS if row[0].startswith("exports below a prefix whose"))
    assert number(computation) == _MAX_LISTED
    assert f"it stops after {_MAX_LISTED:,}." in " ".join(PAGE.split())


def test_all_rows_are_checked() -> None:
    """Each measurement has a value of a benchmark, and the other tables were found."""
    assert [measurement for measurement, _, _ in MEASUREMENTS] == list(MEASURED)
    assert len(COMPUTATIONS) == 35
