"""The counters of the kill loop, and their table."""

from __future__ import annotations

from collections import Counter

import attrs

MIB = 1024 * 1024
"""Bytes."""

START, BODY, PUBLISH = PHASES = ("before the first byte", "amid the bodies", "while publishing")
"""The states in which a process can be killed."""


@attrs.define
class Figures:
    """The results of the kill loop.

    Attributes:
        seed: The seed of the random generator.
        rounds: Completed downloads.
        kills: Killed processes by state.
        corrupt: Targets that exist and are not the complete artifact.
        stuck: Processes that failed or never ended without being killed.
        needed: Bytes of all artifacts.
        fetched: Bytes that the storage host sent.
        resumed: Bytes of partial files that a process reused from an earlier one, up to the first gap.
        parts: Segments that were downloaded over additional connections.
        leftovers: Files beside the artifacts at the end.
        seconds: Duration.
    """

    seed: int
    rounds: int = 0
    kills: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(PHASES, 0)))
    corrupt: int = 0
    stuck: int = 0
    needed: int = 0
    fetched: int = 0
    resumed: int = 0
    parts: int = 0
    leftovers: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was corrupt or stuck."""
        return not (self.corrupt or self.stuck)

    def table(self) -> str:
        """Return the figures as a Markdown table."""
        rows = {
            "rounds": self.rounds,
            "kills": self.kills.total(),
            **{f"kills {phase}": count for phase, count in self.kills.items()},
            "corrupt": self.corrupt,
            "stuck": self.stuck,
            "MiB needed": f"{self.needed / MIB:.1f}",
            "MiB fetched": f"{self.fetched / MIB:.1f}",
            "MiB reused by a later run": f"{self.resumed / MIB:.1f}",
            "additional segments": self.parts,
            "leftover files": self.leftovers,
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(
            [f"| seed | {self.seed} |", "|---|---:|", *(f"| {k} | {v} |" for k, v in rows.items())]
        )
