"""Generated rows."""

from __future__ import annotations

import csv
import io
import json

import pytest

from packagex_async.testing import FileFormat
from packagex_async.testing.data import records


def generate(artifact: str, resource: str, rows: int, *, seed: str) -> bytes:
    """Generate a file in the default format."""
    return records.generate(artifact, resource, rows, seed=seed, file_format=FileFormat())


RESOURCES = ("contact", "shipment", "tracker", "hologram")


@pytest.mark.parametrize("resource", RESOURCES)
def test_csv_and_json_have_the_same_rows(resource: str) -> None:
    """An unknown resource has rows too."""
    listed = json.loads(generate("json", resource, 20, seed="a"))
    table = csv.DictReader(io.StringIO(generate("csv", resource, 20, seed="a").decode(), newline=""))
    assert list(table) == [{name: str(value) for name, value in record.items()} for record in listed]
    assert len(listed) == 20


@pytest.mark.parametrize("artifact", ["json", "csv", "csv_error", "csv_sanitized"])
def test_seed_determines_the_bytes(artifact: str) -> None:
    """Another seed generates other bytes."""
    assert generate(artifact, "contact", 5, seed="a") == generate(artifact, "contact", 5, seed="a")
    assert generate(artifact, "contact", 5, seed="a") != generate(artifact, "contact", 5, seed="b")


def test_errors_and_sanitized_rows() -> None:
    """Errors have a column with the reason. Formulas are prefixed with an apostrophe."""
    errors = list(csv.DictReader(io.StringIO(generate("csv_error", "contact", 3, seed="a").decode())))
    assert all(row["error"] for row in errors)
    sanitized = list(csv.DictReader(io.StringIO(generate("csv_sanitized", "contact", 3, seed="a").decode())))
    assert all(row["name"].startswith("'") for row in sanitized)
