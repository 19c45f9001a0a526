"""Parse the configuration file: tables `[profiles.NAME]` with settings of the connection. Without I/O."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.sources import ENVIRONMENTS, Setting, Source, check_alternatives

DEFAULT_PROFILE = "default"


def parse_profiles(text: str, file: Path) -> dict[str, Source]:
    """Return the profiles of a configuration file by name.

    Args:
        text: The contents of the file.
        file: The path of the file. Relative paths in the file are relative to its directory.

    Raises:
        UsageError: The text is not valid TOML, or it contains an unknown key or a value of a wrong type.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not valid TOML: {error}", hint="correct the file") from None
    profiles = document.pop("profiles", {})
    if document:
        raise UsageError(
            f"{file}: {next(iter(document))!r} is not a known key",
            hint="put each setting into a profile: a table [profiles.NAME]",
        )
    if not isinstance(profiles, dict):
        raise _no_table(f"{file}: profiles", "profiles")
    return {name: _parse_profile(name, table, file) for name, table in profiles.items()}


def select_profile(profiles: Mapping[str, Source], selected: Setting | None, file: Path) -> Source:
    """Return the settings of the selected profile, or of the profile `default` if it exists.

    Raises:
        UsageError: The selected profile does not exist.
    """
    if selected is None:
        return profiles.get(DEFAULT_PROFILE, {})
    if selected.value not in profiles:
        names = ", ".join(profiles) or "none"
        raise UsageError(
            f"{selected.label}: {file} has no profile {selected.value!r}",
            hint=f"profiles in the file: {names}; a profile is a table [profiles.NAME]",
        )
    return profiles[selected.value]


def _parse_profile(profile: str, table: object, file: Path) -> Source:
    place = f"profile {profile!r} of {file}"
    if not isinstance(table, dict):
        raise _no_table(place, f"profiles.{profile}")
    source = {}
    for key, value in table.items():
        if key == "api_key":
            raise UsageError(
                f"{place}: api_key is not allowed: the key would be readable in the file",
                hint="use api_key_file (a path) or api_key_command (a command that prints the key)",
            )
        if key not in _PARSERS:
            raise UsageError(
                f"{place}: {key!r} is not a known key", hint=f"known keys: {', '.join(_PARSERS)}"
            )
        expected, parse = _PARSERS[key]
        parsed = parse(value, file.parent)
        if parsed is None:
            raise UsageError(f"{place}: {key} must be {expected}", hint=f"correct {key} in the file")
        source[key] = Setting(parsed, f"{key} in {place}")
    check_alternatives(source)
    return source


def _no_table(place: str, name: str) -> UsageError:
    return UsageError(f"{place} must be a table", hint=f"write [{name}], and its keys below it")


def _text(value: Any, directory: Path) -> str | None:
    # The operating system accepts no null character in a path or an argument.
    return value if isinstance(value, str) and value and "\0" not in value else None


def _environment(value: Any, directory: Path) -> str | None:
    return value if isinstance(value, str) and value in ENVIRONMENTS else None


def _path(value: Any, directory: Path) -> Path | None:
    return directory / os.path.expanduser(value) if _text(value, directory) else None


def _number(value: Any, directory: Path) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else None


def _integer(value: Any, directory: Path) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _command(value: Any, directory: Path) -> tuple[str, ...] | None:
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            return None
    is_command = isinstance(value, list) and value and all(isinstance(word, str) for word in value)
    return tuple(value) if is_command and not any("\0" in word for word in value) else None


_Parser = Callable[[Any, Path], object]

_PARSERS: dict[str, tuple[str, _Parser]] = {
    "api_key_file": ("a path", _path),
    "api_key_command": ("a command: an array of strings, or a string", _command),
    "environment": (" or ".join(map(repr, ENVIRONMENTS)), _environment),
    "base_url": ("a URL", _text),
    "proxy": ("a URL", _text),
    "ca_file": ("a path", _path),
    "request_timeout": ("a number of seconds", _number),
    "stall_timeout": ("a number of seconds", _number),
    "attempts": ("a whole number", _integer),
}
"""The known keys: a description of the expected value, and a parser that returns `None` for any other."""
