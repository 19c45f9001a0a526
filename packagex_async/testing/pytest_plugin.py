"""The pytest fixture `packagex_emulator`; nothing heavy is imported before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from packagex_async.testing import Emulator


@pytest.fixture
def packagex_emulator() -> Iterator[Emulator]:
    """A running, populated `Emulator`. It runs on its own thread, so it suits any async plugin, and none."""
    from packagex_async.testing import Emulator, serve_in_thread

    with serve_in_thread(Emulator()) as server:
        yield server
