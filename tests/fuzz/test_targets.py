"""The fuzz targets accept their seeds, the findings of earlier runs, and random bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS
from tests.support import examples

FINDINGS: list[tuple[str, bytes]] = [
    ("dates", b"Wed, 01 May 2024 12:009999909999999999999999999999999:00 GMT"),
]
"""Inputs that violated a property in earlier runs."""


@pytest.mark.parametrize(
    ("name", "data"), [(name, seed) for name in SEEDS for seed in SEEDS[name]] + FINDINGS
)
def test_known_inputs(name: str, data: bytes) -> None:
    """Complete, and truncated at every byte."""
    for end in range(len(data) + 1):
        TARGETS[name](data[:end])


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes(name: str) -> None:
    """Alone, and after a seed."""

    @settings(max_examples=examples(50), deadline=None)
    @given(st.binary(max_size=300), st.sampled_from([b"", *SEEDS[name]]))
    def check(data: bytes, seed: bytes) -> None:
        TARGETS[name](seed + data)

    check()
