"""The benchmark's own arithmetic: what it tells of its figures is true."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import table
from environment import Outcome, raw
from plot import svg
from rounds import Contender, interleaved, ratios
from runs import Failed, Run
from table import Row, markdown


def run(wall: float) -> Run:
    """A run that took so many seconds."""
    return Run(wall=wall, transfer=wall, cpu=wall, peak=0)


def test_ratios_are_taken_round_by_round() -> None:
    """What is slow in a round is slow for everybody; a round that one of them sat out does not count."""
    runs = {"ours": [run(1), run(4), run(9)], "curl": [run(2), run(8)]}
    assert ratios(runs, "ours", "curl", lambda run: run.wall) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("values", "missed"),
    [((0.1, 0.2, 9.0), False), ((0.5,), False), ((0.1, 0.6, 0.7), True), ((), True)],
)
def test_a_promise_is_kept_by_the_median(values: tuple[float, ...], missed: bool) -> None:
    """One lucky round does not keep it, one unlucky does not break it, and nothing measured keeps nothing."""
    assert Row("one file", "time vs curl", values, limit=0.5).missed is missed


def test_what_was_not_promised_cannot_be_missed() -> None:
    """Some rows are there to be read."""
    assert not Row("one file", "on uvloop", (99.0,)).missed


def test_the_table_tells_bounds_and_spread() -> None:
    """Whoever reads it sees the median, the least and the greatest, and where a promise is not kept."""
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
def test_who_takes_long_runs_seldom_and_without_a_warm_up(rounds: int | None, taken: list[int]) -> None:
    """Its rounds are the first that count, so that each has a counterpart."""
    contender = Contender("curl", lambda folder: [], {}, rounds)
    assert [number for number in range(4) if contender.runs_in(number)] == taken


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for notes, where runs are watched by a `time` that every machine has."""
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
    """One that writes down each of its runs, and fails in the first ones."""
    note = folder / "runs"
    script = f'echo >> "$0"; test $(wc -l < "$0") -gt {times}'
    return Contender("curl", lambda _: ["sh", "-c", script, str(note)], {}, rounds=2, ours=ours)


def test_a_peer_that_fails_is_run_again_and_it_is_told(scratch: Path) -> None:
    """One crash does not cost everybody their runs, and nobody hides one."""
    runs = interleaved([failing(1, scratch)], 2, scratch, shutil.rmtree)
    outcome = Outcome([], raw(runs) | {"in memory": [0.5]})
    assert [run.failures for run in runs["curl"]] == [1, 0]
    assert outcome.failures == {"curl": 1}
    assert (
        "- Workload `small`: failed and repeated runs of curl: 1." in table({"small": outcome}).splitlines()
    )
    assert sorted(path.name for path in scratch.iterdir()) == ["peak.txt", "runs"]


def test_a_peer_that_fails_twice_in_a_row_ends_the_benchmark(scratch: Path) -> None:
    """It cannot do it."""
    with pytest.raises(Failed, match="failed with status 1"):
        interleaved([failing(2, scratch)], 2, scratch, shutil.rmtree)


def test_no_failure_of_ours_is_forgiven(scratch: Path) -> None:
    """It would be a fault of this package, and no figure makes up for one."""
    with pytest.raises(Failed, match="failed with status 1"):
        interleaved([failing(1, scratch, ours=True)], 2, scratch, shutil.rmtree)


def test_the_plot_shows_everybody_fastest_first() -> None:
    """It is an SVG that any reader of XML understands, whatever a contender is called."""
    plot = ElementTree.fromstring(
        svg({"one file": {"slow & steady": [2.0], "ours": [0.4, 0.5]}, "four files": {"curl": [1.0]}})
    )
    shown = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")]
    names = [text for text in shown if text in ("packagex-async", "slow & steady", "curl")]
    assert names == ["packagex-async", "slow & steady", "curl"]
    assert "0.45 (0.4\N{EN DASH}0.5)" in shown
