"""The options of the connection to the API, which all commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from packagex_async import AsyncPackageX, ConfigurationError, RetryPolicy

KEY_VARIABLE = "PX_API_KEY"


@attrs.frozen(kw_only=True)
class ConnectionOptions:
    """The options of the connection to the API. The docstrings of the fields are the help of the options."""

    api_key_file: Path | None = None
    """Read the API key from this file instead of the variable PX_API_KEY."""

    environment: Literal["production", "sandbox"] = "production"
    """The API environment. Each environment needs its own key."""

    base_url: str | None = None
    """Connect to this base URL, such as the emulator's."""

    request_timeout: float = 60.0
    """Timeout of one API request, in seconds."""

    attempts: int = 5
    """Give up after this many consecutive attempts without progress."""

    def client(self) -> AsyncPackageX:
        """Return a client with these options.

        Raises:
            ConfigurationError: There is no key, or an option is invalid.
        """
        return AsyncPackageX(
            self._read_key(),
            environment=self.environment,
            base_url=self.base_url,
            timeout=self.request_timeout,
            retry=RetryPolicy(attempts=self.attempts),
        )

    def _read_key(self) -> str:
        if self.api_key_file is None:
            key = os.environ.get(KEY_VARIABLE, "")
        else:
            key = _read_key_file(self.api_key_file)
        if not key.strip():
            raise ConfigurationError(f"no API key: set {KEY_VARIABLE}, or name a file with --api-key-file")
        return key


Connection = Annotated[ConnectionOptions, Parameter(parse=False)]
"""The type of the parameter with which a command receives the connection options."""


def _read_key_file(file: Path) -> str:
    try:
        # Some editors write a byte order mark at the start of a file.
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"--api-key-file {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        # The message of the UnicodeDecodeError quotes the contents of the file.
        raise ConfigurationError(f"--api-key-file {file}: the file is not UTF-8 text") from None
