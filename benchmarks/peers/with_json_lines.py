"""`json.loads` of each line of a manifest, whose name is an option."""

from __future__ import annotations

import json

from job import given, timed

if __name__ == "__main__":
    _, folder, (name,) = given()
    with timed(), (folder / name).open("rb") as lines:
        for line in lines:
            json.loads(line)
