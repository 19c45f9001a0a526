"""What the kill loop has counted, and how it shows."""

from __future__ import annotations

from collections import Counter

import attrs

MIB = 1024 * 1024
"""Bytes."""

START, BODY, PUBLISH = PHASES = ("before the first byte", "amid the bodies", "while publishing")
"""What a process may be doing when it is killed."""


@attrs.define
class Figures:
    """What came of it all.

    Attributes:
        seed: What the dice were made from.
        rounds: Downloads brought to their end.
        kills: Processes killed before their own end, by what they were doing.
        corrupt: Final paths that were there, and not the whole artifact.
        wedged: Processes that nobody killed, and that failed or never ended.
        needed: Bytes of all artifacts.
        fetched: Bytes that storage sent.
        taken_up: Bytes up to the first gap that a process found left by one before it, and did not fetch.
        parts: Parts of artifacts that were brought beside others.
        leftovers: Files beside the artifacts when all was done.
        seconds: How long it took.
    """

    seed: int
    rounds: int = 0
    kills: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(PHASES, 0)))
    corrupt: int = 0
    wedged: int = 0
    needed: int = 0
    fetched: int = 0
    taken_up: int = 0
    parts: int = 0
    leftovers: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was corrupt or stuck."""
        return not (self.corrupt or self.wedged)

    def table(self) -> str:
        """The figures as a Markdown table."""
        rows = {
            "rounds": self.rounds,
            "kills": self.kills.total(),
            **{f"kills {phase}": count for phase, count in self.kills.items()},
            "corrupt": self.corrupt,
            "wedged": self.wedged,
            "MiB needed": f"{self.needed / MIB:.1f}",
            "MiB fetched": f"{self.fetched / MIB:.1f}",
            "MiB taken up by a later run": f"{self.taken_up / MIB:.1f}",
            "parts brought beside others": self.parts,
            "leftover files": self.leftovers,
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(
            [f"| seed | {self.seed} |", "|---|---:|", *(f"| {k} | {v} |" for k, v in rows.items())]
        )
