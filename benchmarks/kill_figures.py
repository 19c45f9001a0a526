"""Results of the kill loop."""

from __future__ import annotations

from collections import Counter

import attrs

MIB = 1024 * 1024

START, BODY, PUBLISH = PHASES = ("before the first byte", "during the bodies", "while publishing")
"""The phases in which a process is killed."""


@attrs.define
class Figures:
    """Results of the kill loop.

    Attributes:
        seed: The seed of the random numbers.
        rounds: Completed downloads.
        kills: Killed processes by phase.
        corrupt: Files that exist at the final path and differ from the artifact.
        stuck_runs: Processes that failed or did not end, without being killed.
        needed: Bytes of all artifacts.
        fetched: Bytes that storage sent.
        resumed_bytes: Bytes before the first gap of a partial file, which a later process did not download.
        segments: Ranges that were requested by further connections.
        leftovers: Files other than the artifacts after the last process.
        seconds: Total time.
    """

    seed: int
    rounds: int = 0
    kills: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(PHASES, 0)))
    corrupt: int = 0
    stuck_runs: int = 0
    needed: int = 0
    fetched: int = 0
    resumed_bytes: int = 0
    segments: int = 0
    leftovers: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether no file was corrupt and no process stuck."""
        return not (self.corrupt or self.stuck_runs)

    def table(self) -> str:
        """Return the results as a Markdown table."""
        rows = {
            "rounds": self.rounds,
            "kills": self.kills.total(),
            **{f"kills {phase}": count for phase, count in self.kills.items()},
            "corrupt": self.corrupt,
            "stuck": self.stuck_runs,
            "MiB needed": f"{self.needed / MIB:.1f}",
            "MiB fetched": f"{self.fetched / MIB:.1f}",
            "MiB resumed by a later run": f"{self.resumed_bytes / MIB:.1f}",
            "segments of further connections": self.segments,
            "leftover files": self.leftovers,
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(
            [f"| seed | {self.seed} |", "|---|---:|", *(f"| {k} | {v} |" for k, v in rows.items())]
        )
