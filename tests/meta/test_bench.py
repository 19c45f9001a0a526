"""The benchmark: its ratios, table, chart and results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import read, table, write
from environment import Outcome, raw
from plot import svg
from rounds import Contender, interleaved, ratios
from runs import Failed, Run
from table import Row, markdown


def run(wall: float) -> Run:
    """Return a run that took this number of seconds."""
    return Run(wall=wall, transfer=wall, cpu=wall, transfer_cpu=wall, peak=0)


def test_ratios_are_taken_round_by_round() -> None:
    """All contenders of a round have the same conditions. A round without one of them does not count."""
    runs = {"ours": [run(1), run(4), run(9)], "curl": [run(2), run(8)]}
    assert ratios(runs, "ours", "curl", lambda run: run.wall) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("values", "missed"),
    [((0.1, 0.2, 9.0), False), ((0.5,), False), ((0.1, 0.6, 0.7), True), ((), True)],
)
def test_limit_applies_to_the_median(values: tuple[float, ...], missed: bool) -> None:
    """A single fast or slow round does not matter. A row without figures is missed."""
    assert Row("one file", "time vs curl", values, limit=0.5).missed is missed


def test_row_without_a_limit_is_never_missed() -> None:
    """It is for information."""
    assert not Row("one file", "on uvloop", (99.0,)).missed


def test_table_shows_spread_and_bounds() -> None:
    """Each row has the median, the minimum, the maximum, and a mark if the limit is exceeded."""
    rows = [
        Row("memory", "memory", (3.0, 1.0, 2.0), limit=24, goal=12, unit=" MiB"),
        Row("paging", "time", (0.3,), limit=0.2),
        Row("decoding", "time", ()),
    ]
    assert markdown(rows, ["A note."]).splitlines()[2:] == [
        "| memory | memory | 2 (1\N{EN DASH}3) MiB | ≤ 24 MiB | ≤ 12 MiB |",
        "| paging | time | 0.3 (0.3\N{EN DASH}0.3) **missed** | ≤ 0.2 |  |",
        "| decoding | time | not measured |  |  |",
        "",
        "- A note.",
    ]


@pytest.mark.parametrize(("rounds", "taken"), [(None, [0, 1, 2, 3]), (2, [1, 2])])
def test_slow_contender_runs_less_often(rounds: int | None, taken: list[int]) -> None:
    """It has no warm-up, and runs in the first rounds that count, so that each run has a counterpart."""
    contender = Contender("curl", lambda folder: [], {}, rounds)
    assert [number for number in range(4) if contender.runs_in(number)] == taken


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a folder for runs, and a `time` command that needs no package."""
    programs = tmp_path / "programs"
    programs.mkdir()
    time = programs / "time"
    time.write_text('#!/bin/sh\necho 1 > "$4"\nshift 4\nexec "$@"\n')
    time.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def failing(times: int, folder: Path, *, ours: bool = False) -> Contender:
    """Return a contender that fails in its first runs."""
    note = folder / "runs"
    script = f'echo >> "$0"; test $(wc -l < "$0") -gt {times}'
    return Contender("curl", lambda _: ["sh", "-c", script, str(note)], {}, rounds=2, ours=ours)


def test_failed_run_of_another_program_is_repeated(scratch: Path) -> None:
    """The table mentions it."""
    runs = interleaved([failing(3, scratch)], 2, scratch, shutil.rmtree)
    outcome = Outcome([], raw(runs) | {"in memory": [0.5]})
    assert [run.failures for run in runs["curl"]] == [3, 0]
    assert outcome.failures == {"curl": 3}
    assert (
        "- Workload `small`: failed and repeated runs of curl: 3." in table({"small": outcome}).splitlines()
    )
    assert sorted(path.name for path in scratch.iterdir()) == ["peak.txt", "runs"]


def test_fourth_failure_of_another_program_ends_the_benchmark(scratch: Path) -> None:
    """Four failures in a row are an error."""
    with pytest.raises(Failed, match="failed with status 1"):
        interleaved([failing(4, scratch)], 2, scratch, shutil.rmtree)


def test_failed_run_of_this_package_ends_the_benchmark(scratch: Path) -> None:
    """It is a defect."""
    with pytest.raises(Failed, match="failed with status 1"):
        interleaved([failing(1, scratch, ours=True)], 2, scratch, shutil.rmtree)


def test_chart_shows_all_contenders_fastest_first() -> None:
    """The SVG is valid XML with any name of a contender."""
    plot = ElementTree.fromstring(
        svg({"one file": {"slow & steady": [2.0], "ours": [0.4, 0.5]}, "four files": {"curl": [1.0]}})
    )
    shown = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")]
    names = [text for text in shown if text in ("packagex-async", "slow & steady", "curl")]
    assert names == ["packagex-async", "slow & steady", "curl"]
    assert "0.45 (0.4\N{EN DASH}0.5)" in shown


def test_results_are_read_again(tmp_path: Path) -> None:
    """A run of some workloads keeps the results of the others."""
    outcome = Outcome(
        [Row("one file", "time vs curl", (0.5,), limit=0.6)], raw({"ours": [run(1)]}), {"ours": [0.5]}
    )
    assert read(tmp_path) == {}
    write({"large": outcome}, {"versions": {}}, tmp_path)
    assert table(read(tmp_path)) == (tmp_path / "speed.md").read_text(encoding="utf-8")
    written = (tmp_path / "speed.json").read_text(encoding="utf-8")
    write(read(tmp_path), {"versions": {}}, tmp_path)
    assert (tmp_path / "speed.json").read_text(encoding="utf-8") == written
