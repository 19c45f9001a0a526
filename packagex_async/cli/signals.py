"""SIGTERM ends a command as Ctrl-C does: in order."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def terminable() -> Generator[None, None, None]:
    """Take SIGTERM for SIGINT while the block lasts."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
