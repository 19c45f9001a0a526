"""The log of the SDK on stderr."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager

from packagex_async.cli.display.tables import printable
from packagex_async.cli.stdio import write_error

_LEVELS = {1: logging.INFO, 2: logging.DEBUG}
_MAX_MESSAGE_LENGTH = 4000


@contextmanager
def log_to_stderr(verbosity: int) -> Generator[None, None, None]:
    """Print the log of the SDK to stderr within the block.

    Args:
        verbosity: 0 prints nothing, 1 results and problems (INFO), 2 or more also each request (DEBUG).
    """
    if verbosity < 1:
        yield
        return
    log = logging.getLogger("packagex_async")
    handler = _StandardErrorHandler()
    level = log.level
    log.addHandler(handler)
    log.setLevel(_LEVELS.get(verbosity, logging.DEBUG))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class _StandardErrorHandler(logging.Handler):
    """Prints each record as one line with its time and level, without secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        moment = f"{time.strftime('%H:%M:%S', time.localtime(record.created))}.{int(record.msecs):03}"
        message = printable(record.getMessage(), max_length=_MAX_MESSAGE_LENGTH)
        write_error(f"{moment} {record.levelname} {message}")
