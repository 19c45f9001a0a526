"""The fuzzing targets hold for their seeds, for findings of earlier runs, and for random bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS
from tests.support import examples

FINDINGS: list[tuple[str, bytes]] = [
    ("dates", b"Wed, 01 May 2024 12:009999909999999999999999999999999:00 GMT"),
]
"""Inputs that broke a promise once."""


@pytest.mark.parametrize(
    ("name", "data"), [(name, seed) for name in SEEDS for seed in SEEDS[name]] + FINDINGS
)
def test_a_known_input_breaks_no_promise(name: str, data: bytes) -> None:
    """Whole, and cut at every byte."""
    for end in range(len(data) + 1):
        TARGETS[name](data[:end])


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes_break_no_promise(name: str) -> None:
    """Alone, and behind a seed."""

    @settings(max_examples=examples(50), deadline=None)
    @given(st.binary(max_size=300), st.sampled_from([b"", *SEEDS[name]]))
    def check(data: bytes, seed: bytes) -> None:
        TARGETS[name](seed + data)

    check()
