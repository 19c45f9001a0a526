"""Rounds in which all contenders run in turn, so that drift affects all of them."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from runs import Cost, Failed, Run, measured

Runs = Mapping[str, Sequence[Run]]
"""The runs of each contender, round by round."""

Tidy = Callable[[Path], object]
"""A function that cleans the folder of a run after the measurement."""

_BLOCK = 1024 * 1024

_SLOW_ROUNDS = 3

_REPETITIONS = 3
"""How often a failed run of another program is repeated."""


@attrs.frozen
class Contender:
    """A program that runs a job.

    Attributes:
        name: Its name in the table.
        command: Returns the command line that downloads the files to a folder.
        files: The expected files by name, and the originals to compare them with.
        rounds: The number of rounds of a program without a warm-up; `None` for all rounds with one.
        ours: Whether it is this package, for which a failed run is not repeated.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    files: Mapping[str, Path]
    rounds: int | None = None
    ours: bool = False

    def runs_in(self, number: int) -> bool:
        """Return whether it takes part in a round; round 0 is the warm-up."""
        return self.rounds is None or 1 <= number <= self.rounds


def slow(*contenders: Contender) -> list[Contender]:
    """Return programs that take part in few rounds: slow ones, and those that are compared only with them."""
    return [attrs.evolve(contender, rounds=_SLOW_ROUNDS) for contender in contenders]


def interleaved(contenders: Sequence[Contender], rounds: int, scratch: Path, tidy: Tidy) -> Runs:
    """Run all contenders in turn, once to warm up and then `rounds` times.

    The first download of each is compared byte for byte, and `tidy` removes it. A failed run of another
    program is repeated up to three times, so that crashes do not discard the whole benchmark.

    Raises:
        SystemExit: This package failed, another program failed four times in a row, or a file differs.
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    checked: set[str] = set()
    for number in range(rounds + 1):
        # The state of memory and disk depends on the previous run, so the order is random
        # in each round and in each benchmark.
        for contender in random.sample(contenders, len(contenders)):
            if not contender.runs_in(number):
                continue
            run = _run(contender, scratch, tidy, check=contender.name not in checked)
            checked.add(contender.name)
            if number:
                runs[contender.name].append(run)
    return runs


def ratios(runs: Runs, one: str, other: str, cost: Cost) -> list[float]:
    """Return the cost of `one` divided by the cost of `other`, round by round."""
    return [cost(a) / cost(b) for a, b in zip(runs[one], runs[other], strict=False)]


def empty(folder: Path) -> None:
    """Truncate the files of a folder, and keep the files.

    ext4 without a journal examines recently deleted inodes before it creates a file, so each program would
    pay for the files that were deleted before it.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _run(contender: Contender, scratch: Path, tidy: Tidy, *, check: bool) -> Run:
    for failures in range(_REPETITIONS):
        try:
            return attrs.evolve(_once(contender, scratch, tidy, check=check), failures=failures)
        except Failed as failure:
            if contender.ours:
                raise
            sys.stderr.write(f"{failure}\n")
    return attrs.evolve(_once(contender, scratch, tidy, check=check), failures=_REPETITIONS)


def _once(contender: Contender, scratch: Path, tidy: Tidy, *, check: bool) -> Run:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        run = measured(contender.command(folder), scratch)
        sys.stderr.write(f"{contender.name}: {run.wall:.2f} s\n")
        if check:
            _compare(contender, folder)
    finally:
        tidy(folder)
        # Write all data to the disk now, so that the next run does not wait for it.
        os.sync()
    return run


def _compare(contender: Contender, folder: Path) -> None:
    for name, original in contender.files.items():
        path = folder / name
        if not path.exists() or not _same(path, original):
            raise SystemExit(f"{contender.name}: {name} differs from the served file")


def _same(one: Path, other: Path) -> bool:
    # `filecmp` compares 8 KiB at a time, which is slow.
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(_BLOCK):
            if block != b.read(_BLOCK):
                return False
        return not b.read(1)
