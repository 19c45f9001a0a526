"""The calculations and the output of the benchmark."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import table
from plot import svg
from rounds import Contender, ratios, run_interleaved
from runs import Run, RunFailedError
from table import Row, markdown


def run(wall: float) -> Run:
    """Return a run that took `wall` seconds."""
    return Run(wall=wall, transfer=wall, cpu=wall, peak=0)


def test_ratios_within_rounds() -> None:
    """Ratios are computed within each round; rounds without both contenders are ignored."""
    runs = {"ours": [run(1), run(4), run(9)], "curl": [run(2), run(8)]}
    assert ratios(runs, "ours", "curl", lambda run: run.wall) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("values", "missed"),
    [((0.1, 0.2, 9.0), False), ((0.5,), False), ((0.1, 0.6, 0.7), True), ((), True)],
)
def test_bound_applies_to_median(values: tuple[float, ...], missed: bool) -> None:
    """Single fast or slow rounds do not matter, and a missing measurement misses the bound."""
    assert Row("W1", "time vs curl", values, must=0.5).missed is missed


def test_row_without_bound_is_never_missed() -> None:
    """Some rows are informational."""
    assert not Row("W1", "on uvloop", (99.0,)).missed


def test_table_shows_bounds_and_spread() -> None:
    """Each row shows median, minimum and maximum, and whether the bound was missed."""
    rows = [
        Row("W5", "memory", (3.0, 1.0, 2.0), must=24, moonshot=12, unit=" MiB"),
        Row("W6", "time", (0.3,), must=0.2),
        Row("W7", "time", ()),
    ]
    assert markdown(rows, ["A note."]).splitlines()[2:] == [
        "| W5 | memory | ≤ 24 MiB | ≤ 12 MiB | 2 (1\N{EN DASH}3) MiB |",
        "| W6 | time | ≤ 0.2 |  | 0.3 (0.3\N{EN DASH}0.3) **missed** |",
        "| W7 | time |  |  | not measured |",
        "",
        "- A note.",
    ]


@pytest.mark.parametrize(("rounds", "taken"), [(None, [0, 1, 2, 3]), (2, [1, 2])])
def test_slow_contender_runs_in_fewer_rounds(rounds: int | None, taken: list[int]) -> None:
    """It runs in the first rounds that count, without a warm-up."""
    contender = Contender("curl", lambda folder: [], {}, rounds)
    assert [number for number in range(4) if contender.runs_in(number)] == taken


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a folder for measurements, and a `time` program that exists on every machine."""
    programs = tmp_path / "programs"
    programs.mkdir()
    time = programs / "time"
    time.write_text('#!/bin/sh\necho 1 > "$4"\nshift 4\nexec "$@"\n')
    time.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def failing_contender(times: int, folder: Path, *, ours: bool = False) -> Contender:
    """Return a contender that records its runs and fails in the first ones."""
    note = folder / "runs"
    script = f'echo >> "$0"; test $(wc -l < "$0") -gt {times}'
    return Contender("curl", lambda _: ["sh", "-c", script, str(note)], {}, rounds=2, ours=ours)


def test_failed_peer_is_run_again(scratch: Path) -> None:
    """The failure is counted and shown below the table."""
    # Imported here, because type checkers would resolve another module of this name.
    workload = importlib.import_module("workload")
    runs = run_interleaved([failing_contender(1, scratch)], 2, scratch, shutil.rmtree)
    outcome = workload.Outcome([], workload.raw(runs) | {"in memory": [0.5]})
    assert [run.failures for run in runs["curl"]] == [1, 0]
    assert outcome.failures == {"curl": 1}
    assert "- W3: failed runs of curl, made again: 1." in table({"W3": outcome}).splitlines()
    assert sorted(path.name for path in scratch.iterdir()) == ["peak.txt", "runs"]


def test_peer_that_fails_twice_ends_the_benchmark(scratch: Path) -> None:
    """The error contains the status of the process."""
    with pytest.raises(RunFailedError, match="failed with status 1"):
        run_interleaved([failing_contender(2, scratch)], 2, scratch, shutil.rmtree)


def test_failure_of_this_package_ends_the_benchmark(scratch: Path) -> None:
    """This package is not run again after a failure."""
    with pytest.raises(RunFailedError, match="failed with status 1"):
        run_interleaved([failing_contender(1, scratch, ours=True)], 2, scratch, shutil.rmtree)


def test_plot_is_sorted_by_speed() -> None:
    """The SVG is valid XML and contains all contenders, the fastest one first."""
    plot = ElementTree.fromstring(
        svg({"W1": {"slow & steady": [2.0], "ours": [0.4, 0.5]}, "W2": {"curl": [1.0]}})
    )
    shown = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")]
    names = [text for text in shown if text in ("ours", "slow & steady", "curl")]
    assert names == ["ours", "slow & steady", "curl"]
    assert "0.45 (0.4\N{EN DASH}0.5)" in shown
