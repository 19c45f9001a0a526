"""The workloads that read the rows of an artifact while it streams."""

from __future__ import annotations

from pathlib import Path

import attrs
from environment import CSV_ROWS, JSON_RECORDS, WALL, Environment, Outcome, raw
from job import File
from objects import ARTIFACTS, KIB, MIB
from rounds import Contender, Runs, ratios, slow
from row_files import csv_rows, json_records, write
from table import Row

_LARGER = 2
"""The factor between the sizes of the two files that show whether memory depends on the size."""


def csv(environment: Environment) -> Outcome:
    """Measure the rows of a CSV artifact as dicts."""
    size = environment.scale.rows
    ours = {name: _Rows(environment, name, "csv", bytes_) for name, bytes_ in _sizes(size).items()}
    runs = environment.run(
        *slow(
            ours["file"].contender("row_batches", "ours_rows", "row_batches"),
            ours["file"].contender("rows", "ours_rows", "rows"),
            ours["file"].contender("csv.DictReader", "with_dict_reader", str(ours["file"].path)),
        ),
        ours["idle"].contender("idle", "ours_rows", "row_batches"),
        attrs.evolve(ours["larger"].contender("larger", "ours_rows", "row_batches"), rounds=1),
    )
    rows = [
        Row(
            CSV_ROWS,
            f"time of `{name}` vs `csv.DictReader` on a local file",
            ratios(runs, name, "csv.DictReader", WALL),
            *bounds,
        )
        for name, bounds in {"row_batches": (1.1, 0.9), "rows": (1.5, 1.2)}.items()
    ]
    return Outcome([*rows, *_memory(CSV_ROWS, runs, ["row_batches", "rows", "larger"], 64, 32)], raw(runs))


def json(environment: Environment) -> Outcome:
    """Measure the records of a JSON array."""
    size = environment.scale.rows
    ours = {name: _Rows(environment, name, "json", bytes_) for name, bytes_ in _sizes(size).items()}
    runs = environment.run(
        *slow(
            ours["file"].contender("row_batches", "ours_rows", "row_batches"),
            ours["file"].contender("ijson", "with_ijson"),
        ),
        ours["idle"].contender("idle", "ours_rows", "row_batches"),
        attrs.evolve(ours["larger"].contender("larger", "ours_rows", "row_batches"), rounds=1),
    )
    time = ratios(runs, "row_batches", "ijson", WALL)
    row = Row(JSON_RECORDS, "time of `row_batches` vs ijson (yajl2_c) on the same stream", time, 0.5, 0.3)
    return Outcome([row, *_memory(JSON_RECORDS, runs, ["row_batches", "larger"], 32, 16)], raw(runs))


def _sizes(size: int) -> dict[str, int]:
    return {"file": size, "idle": KIB, "larger": _LARGER * size}


def _memory(workload: str, runs: Runs, names: list[str], limit: float, goal: float) -> list[Row]:
    measures = {name: f"`{name}`: peak memory above an idle client" for name in names}
    measures["larger"] = f"`row_batches`, file {_LARGER} times as large: peak memory above an idle client"
    return [
        Row(
            workload,
            measures[name],
            [(a.peak - b.peak) / MIB for a, b in zip(runs[name], runs["idle"], strict=False)],
            limit,
            goal,
            " MiB",
        )
        for name in names
    ]


class _Rows:
    """A served file with rows.

    Attributes:
        path: The path of the file.
    """

    def __init__(self, environment: Environment, name: str, artifact: str, size: int) -> None:
        export_id = f"exp_{artifact}_{name}"
        file_name = f"{export_id}{ARTIFACTS[artifact]}"
        self.path: Path = environment.objects.folder / file_name
        pieces, header, end = (csv_rows, 1, "") if artifact == "csv" else (json_records, 0, "]")
        self._count = write(self.path, pieces, size, end) - header
        url = f"{environment.origin}/objects/{file_name}"
        job = [File(export_id, artifact, file_name, url)]
        self._commands = environment.commands(export_id, job, 1)

    def contender(self, name: str, peer: str, *options: str) -> Contender:
        """Return the command of a script in `peers/`, which checks the number of rows."""
        contender = self._commands.python(name, peer, str(self._count), *options)
        return attrs.evolve(contender, files={})
