"""Fakes of the far side: the machine's clock and dice."""

from __future__ import annotations

import asyncio

import attrs


@attrs.define
class FakeClock:
    """A clock that sleeps without waiting, and dice that always fall the same.

    Attributes:
        now: Seconds, both since the epoch and monotonic.
        dice: Where the dice fall, from 0 to 1.
        slept: The sleeps so far, in seconds.
    """

    now: float = 1_714_564_800.0
    dice: float = 0.5
    slept: list[float] = attrs.field(factory=list)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def jitter(self, most: float) -> float:
        return most * self.dice
