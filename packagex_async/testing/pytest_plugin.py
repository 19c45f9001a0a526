"""The pytest fixture `packagex_emulator`. The emulator is imported when a test first uses the fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from packagex_async.testing import Emulator


@pytest.fixture
def packagex_emulator() -> Iterator[Emulator]:
    """A running `Emulator` with sample exports, in a separate thread: it works with any async plugin."""
    from packagex_async.testing import Emulator, serve_in_thread

    with serve_in_thread(Emulator()) as server:
        yield server
