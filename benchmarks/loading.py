"""The workload that loads the rows of exports into DuckDB with dlt."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from commands import JobCommands
from environment import LOADING, TRANSFER, Environment, Outcome, raw
from job import File
from rounds import Contender, ratios
from row_files import csv_rows
from table import Row

_PARSE_OPTIONS = pa_csv.ParseOptions(newlines_in_values=True)

_MANY = 400
"""The number of exports among which the same rows are divided."""


def loading(environment: Environment) -> Outcome:
    """Measure one large export and many small ones, beside the readers of dlt for a Parquet file."""
    count = environment.scale.loaded
    parquet = environment.scratch / "rows.parquet"
    (one,) = _exports(environment, "exp_load", count, 1)
    _write_parquet(environment.objects.folder / one.name, parquet)
    environment.objects.listing([one])
    commands = environment.commands("load", [one], 1)
    peers = {
        "filesystem": "a local Parquet file with `read_parquet` of dlt",
        "resource": "a local Parquet file with a minimal resource of dlt",
    }
    runs = environment.run(
        _contender(commands, "ours", "ours_dlt", str(count)),
        *(_contender(commands, name, "with_dlt", str(count), str(parquet), name) for name in peers),
    )
    rows = [
        Row(LOADING, f"time vs {title}", ratios(runs, "ours", name, TRANSFER), 1.67, 1.11)
        for name, title in peers.items()
    ]
    environment.objects.listing(_exports(environment, "exp_part", count // _MANY, _MANY))
    many = environment.run(
        _contender(commands, "ours, many", "ours_dlt", str(count // _MANY * _MANY)),
        _contender(commands, "resource, many", "with_dlt", str(count), str(parquet), "resource"),
    )
    rows.append(
        Row(
            LOADING,
            f"time of {_MANY} exports vs a minimal resource of dlt",
            ratios(many, "ours, many", "resource, many", TRANSFER),
        )
    )
    return Outcome(rows, raw({**runs, **many}))


def _contender(commands: JobCommands, name: str, peer: str, *options: str) -> Contender:
    # A database is not a copy of a served file.
    return attrs.evolve(commands.python(name, peer, *options), files={})


def _exports(environment: Environment, name: str, rows: int, number: int) -> list[File]:
    files: list[File] = []
    header, *lines = itertools.islice(csv_rows(), rows * number + 1)
    for index in range(number):
        file_name = f"{name}_{index}.csv"
        path = environment.objects.folder / file_name
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines([header, *lines[index * rows : (index + 1) * rows]])
        url = f"{environment.origin}/objects/{file_name}"
        files.append(File(f"{name}_{index}", "csv", file_name, url))
    return files


def _write_parquet(source: Path, target: Path) -> None:
    names = pa_csv.open_csv(source, parse_options=_PARSE_OPTIONS).schema.names
    convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    pq.write_table(pa_csv.read_csv(source, parse_options=_PARSE_OPTIONS, convert_options=convert), target)
