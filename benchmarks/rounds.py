"""Rounds: every contender in turn, again and again, so that what drifts drifts for all of them."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from runs import Cost, Run, RunFailedError, measured

Runs = Mapping[str, Sequence[Run]]
"""The runs of each contender, round by round."""

Cleanup = Callable[[Path], object]
"""What is done to the folder of a run when it has been measured."""

_BLOCK = 1024 * 1024


@attrs.frozen
class Contender:
    """Somebody who does a job.

    Attributes:
        name: What the table calls it.
        command: The command line that leaves the files in a folder.
        files: What has to be there in the end, by name, and what it must be the same as.
        rounds: How often at most, without a warm-up, for one that takes its time.
        ours: Whether it is us, who may not fail even once.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    files: Mapping[str, Path]
    rounds: int | None = None
    ours: bool = False

    def runs_in(self, number: int) -> bool:
        """Whether it takes part in a round; round 0 is the warm-up."""
        return self.rounds is None or 1 <= number <= self.rounds


def run_interleaved(contenders: Sequence[Contender], rounds: int, scratch: Path, cleanup: Cleanup) -> Runs:
    """Let everybody run in turn, once to warm up and then `rounds` times.

    What each of them brings the first time is compared byte for byte; `cleanup` clears it away. A peer
    that fails is run again, once: one crash in a hundred runs need not cost everybody all of theirs.

    Raises:
        SystemExit: We failed, a peer did twice in a row, or somebody brought something else.
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    checked: set[str] = set()
    for number in range(rounds + 1):
        # What memory and disk are like depends on who came before: nobody always follows the same one,
        # neither in the next round nor in the next benchmark.
        for contender in random.sample(contenders, len(contenders)):
            if not contender.runs_in(number):
                continue
            run = _run(contender, scratch, cleanup, check=contender.name not in checked)
            checked.add(contender.name)
            if number:
                runs[contender.name].append(run)
    return runs


def ratios(runs: Runs, one: str, other: str, cost: Cost) -> list[float]:
    """How much `one` cost for each unit that `other` did, round by round."""
    return [cost(a) / cost(b) for a, b in zip(runs[one], runs[other], strict=False)]


def empty(folder: Path) -> None:
    """Give back the blocks of a folder's files, and leave the files.

    Before ext4 without a journal makes a file, it looks at those that were deleted within the last minutes:
    whoever makes many pays for all that were removed before it.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _run(contender: Contender, scratch: Path, cleanup: Cleanup, *, check: bool) -> Run:
    try:
        return _once(contender, scratch, cleanup, check=check)
    except RunFailedError as failure:
        if contender.ours:
            raise
        sys.stderr.write(f"{failure}\n")
    return attrs.evolve(_once(contender, scratch, cleanup, check=check), failures=1)


def _once(contender: Contender, scratch: Path, cleanup: Cleanup, *, check: bool) -> Run:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        run = measured(contender.command(folder), scratch)
        sys.stderr.write(f"{contender.name}: {run.wall:.2f} s\n")
        if check:
            _compare(contender, folder)
    finally:
        cleanup(folder)
        # Nobody's run shall wait for the disk to take in what the one before it wrote.
        os.sync()
    return run


def _compare(contender: Contender, folder: Path) -> None:
    for name, original in contender.files.items():
        path = folder / name
        if not path.exists() or not _same(path, original):
            raise SystemExit(f"{contender.name}: {name} is not what was served")


def _same(one: Path, other: Path) -> bool:
    # The library's own comparison is as thorough, and takes 8 KiB at a time.
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(_BLOCK):
            if block != b.read(_BLOCK):
                return False
        return not b.read(1)
