"""Imports modules that only one operation needs, at the first call of this operation."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from packagex_async.errors import ConfigurationError


@contextmanager
def importing(operation: str) -> Generator[None, None, None]:
    """Import the modules of an operation in this block.

    Args:
        operation: The name of the operation in the error message.

    Raises:
        ConfigurationError: A module cannot be imported, for example without a free file descriptor.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"{operation} cannot be loaded: this process has too many open files, or the package is damaged"
        ) from error
