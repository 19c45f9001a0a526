"""`csv.DictReader` on the local file."""

from __future__ import annotations

import csv

from job import given, timed

if __name__ == "__main__":
    _job, _folder, (expected, path) = given()
    with timed(), open(path, encoding="utf-8", newline="") as file:
        count = sum(1 for _ in csv.DictReader(file))
    if count != int(expected):
        raise SystemExit(f"{count} rows instead of {expected}")
