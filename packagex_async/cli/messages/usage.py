"""Errors in the use of the command line."""

from __future__ import annotations

from packagex_async import ConfigurationError


class UsageError(ConfigurationError):
    """An option, an environment variable or the configuration file is invalid.

    Attributes:
        hint: The next step for the user. Default: the hint for every `ConfigurationError`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
