"""The options that every command shares: which API, with which key, how patiently."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from packagex_async import AsyncPackageX, ConfigurationError, RetryPolicy

KEY_VARIABLE = "PX_API_KEY"


@attrs.frozen(kw_only=True)
class Connection:
    """How to reach the API."""

    api_key_file: Path | None = None
    """A file that holds the API key; without it, the key comes from the variable PX_API_KEY."""

    environment: Literal["production", "sandbox"] = "production"
    """Which environment; each has keys of its own."""

    base_url: str | None = None
    """Another base URL instead, such as the emulator's."""

    request_timeout: float = 60.0
    """Seconds for one request to the API."""

    attempts: int = 5
    """Tries in a row that bring nothing new before giving up; 1 means never again."""

    def client(self) -> AsyncPackageX:
        """A client of that API.

        Raises:
            ConfigurationError: There is no key, or an option cannot work.
        """
        return AsyncPackageX(
            self._key(),
            environment=self.environment,
            base_url=self.base_url,
            timeout=self.request_timeout,
            retry=RetryPolicy(attempts=self.attempts),
        )

    def _key(self) -> str:
        key = os.environ.get(KEY_VARIABLE, "") if self.api_key_file is None else _read(self.api_key_file)
        if not key.strip():
            raise ConfigurationError(f"no API key: set {KEY_VARIABLE}, or name a file with --api-key-file")
        return key


Shared = Annotated[Connection, Parameter(parse=False)]
"""The type of the parameter by which a command gets it, from wherever the options stand."""


def _read(file: Path) -> str:
    try:
        # Some editors begin a file with a byte order mark.
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"--api-key-file {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        # The decoding error would quote what the file holds.
        raise ConfigurationError(f"--api-key-file {file}: this is no text") from None
