"""The options of the connection to the API, which all commands share that use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
from cyclopts import Group, Parameter

from packagex_async import ConfigurationError
from packagex_async.cli.messages.option_names import use_option_names
from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.reading import (
    KEY_VARIABLE,
    check_environment,
    read_ca_file,
    read_key,
    read_profile,
    read_variables,
)
from packagex_async.cli.settings.sources import Setting, Source, merge
from packagex_async.cli.signals import sigterm_handler

if TYPE_CHECKING:
    from packagex_async import AsyncPackageX

_Seconds = Annotated[float, Parameter(metavar="SECONDS")]
_Number = Annotated[int, Parameter(metavar="NUMBER")]
_Url = Annotated[str, Parameter(metavar="URL")]
_Name = Annotated[str, Parameter(metavar="NAME")]


@attrs.frozen(kw_only=True)
class ConnectionOptions:
    """The options of the connection to the API. The docstrings of the fields are the help of the options."""

    api_key_file: Path | None = None
    """Read the API key from this file instead of the variable PX_API_KEY."""

    environment: Literal["production", "sandbox"] | None = None
    """The API environment. Each environment needs its own key. Default: PX_ENVIRONMENT, or production."""

    base_url: _Url | None = None
    """Connect to this base URL, such as the emulator's. Default: PX_BASE_URL, or that of the environment."""

    proxy: _Url | None = attrs.field(default=None, repr=False)
    """Use this HTTP proxy for all requests: http://host:port or https://host:port."""

    ca_file: Path | None = None
    """Also trust the certificate authorities in this PEM file, for API and storage."""

    request_timeout: _Seconds | None = None
    """Timeout of one API request. Default: 60."""

    stall_timeout: _Seconds | None = None
    """Abort and resume a transfer without progress for this time. Default: 30."""

    attempts: _Number | None = None
    """Give up after this many consecutive attempts without progress. Default: 5."""

    profile: _Name | None = None
    """Use this profile of the configuration file. It precedes variables. Default: PX_PROFILE, or the profile
    named default."""

    def client(self, *, bandwidth_limit: int | None = None) -> AsyncPackageX:
        """Return a client with these options, the environment variables and the configuration file.

        Args:
            bandwidth_limit: The value of --bwlimit, in bytes per second.

        Raises:
            ConfigurationError: There is no key, or a setting is invalid.
        """
        with sigterm_handler.interrupting():
            # A command or a named pipe that provides the key may take long.
            settings = self._settings()
            key = _read_key(settings)
            context = read_ca_file(settings["ca_file"]) if "ca_file" in settings else None
        if bandwidth_limit is not None:
            settings["bandwidth_limit"] = Setting(bandwidth_limit, "--bwlimit")
        try:
            return _create_client(key, context, settings)
        except ConfigurationError as error:
            labels = {
                _PARAMETERS[name]: settings[name].label for name in settings.keys() & _PARAMETERS.keys()
            }
            raise UsageError(use_option_names(str(error), labels)) from None

    def _settings(self) -> dict[str, Setting]:
        options: Source = {
            name: Setting(value, f"--{name.replace('_', '-')}")
            for name, value in attrs.asdict(self).items()
            if value is not None
        }
        variables = read_variables()
        profile = read_profile(options.get("profile") or variables.get("profile"))
        # A profile that an option selects is as explicit as an option.
        settings = merge(
            [options, profile, variables] if "profile" in options else [options, variables, profile]
        )
        check_environment(settings)
        return settings


_GROUP = Group("Connection to the API", sort_key=9)

Connection = Annotated[ConnectionOptions, Parameter(name="*", group=_GROUP)]
"""The type of the parameter with which a command receives the connection options."""

DEFAULT_CONNECTION: ConnectionOptions = ConnectionOptions()
"""The connection without options."""

_PARAMETERS = {
    "api_key": "api_key",
    "api_key_file": "api_key",
    "api_key_command": "api_key",
    "environment": "environment",
    "base_url": "base_url",
    "proxy": "proxy",
    "request_timeout": "timeout",
    "stall_timeout": "stall_timeout",
    "attempts": "attempts",
    "bandwidth_limit": "bandwidth_limit",
}
"""The parameter of `AsyncPackageX` for each setting, as its error messages name it."""


def _create_client(key: str, context: SSLContext | None, settings: Mapping[str, Setting]) -> AsyncPackageX:
    # The help does not need the client.
    from packagex_async import AsyncPackageX, RetryPolicy

    values = {name: setting.value for name, setting in settings.items()}
    attempts = values.get("attempts")
    return AsyncPackageX(
        key,
        environment=values.get("environment", "production"),
        base_url=values.get("base_url"),
        proxy=values.get("proxy"),
        ssl=context,
        timeout=values.get("request_timeout", 60.0),
        stall_timeout=values.get("stall_timeout", 30.0),
        bandwidth_limit=values.get("bandwidth_limit"),
        retry=RetryPolicy() if attempts is None else RetryPolicy(attempts=attempts),
    )


def _read_key(settings: Mapping[str, Setting]) -> str:
    for name in ("api_key", "api_key_file", "api_key_command"):
        if name in settings:
            return read_key(settings[name], name)
    raise UsageError(
        "no API key",
        hint=f"set {KEY_VARIABLE}, name a file with --api-key-file, or configure a key in a profile",
    )


def move_connection_options(arguments: Sequence[str]) -> list[str]:
    """Return `arguments` with the connection options before the command moved behind it.

    A command without these options rejects them there.
    """
    end = 0
    while end < len(arguments):
        name, equals, _ = arguments[end].partition("=")
        if name not in _OPTION_NAMES:
            break
        end += 1 if equals else 2
    command, rest = arguments[end : end + 1], arguments[end + 1 :]
    return [*command, *arguments[:end], *rest]


_OPTION_NAMES = frozenset(f"--{field.name.replace('_', '-')}" for field in attrs.fields(ConnectionOptions))
