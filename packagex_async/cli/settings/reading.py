"""Read the settings of the connection: variables, the configuration file, the key and the CA file."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.command_output import read_output
from packagex_async.cli.settings.profiles import parse_profiles, select_profile
from packagex_async.cli.settings.sources import ENVIRONMENTS, Setting, Source

KEY_VARIABLE = "PX_API_KEY"
_CONFIG_VARIABLE = "PX_CONFIG"
_VARIABLES = {
    "api_key": KEY_VARIABLE,
    "base_url": "PX_BASE_URL",
    "environment": "PX_ENVIRONMENT",
    "profile": "PX_PROFILE",
}
_COMMAND_SECONDS = 60.0
"""The maximum duration of an `api_key_command`."""

_MAX_TEXT_LENGTH = 1024 * 1024
_MAX_CA_LENGTH = 16 * 1024 * 1024
"""The maximum lengths of files in bytes. Devices such as `/dev/zero` have no end."""


def read_variables() -> Source:
    """Return the settings in environment variables. An empty variable counts as unset."""
    return {
        name: Setting(os.environ[variable], variable)
        for name, variable in _VARIABLES.items()
        if os.environ.get(variable, "").strip()
    }


def check_environment(settings: Mapping[str, Setting]) -> None:
    """Check the environment, which a variable may contain.

    Raises:
        UsageError: It is unknown.
    """
    environment = settings.get("environment")
    if environment and environment.value not in ENVIRONMENTS:
        raise UsageError(
            f"{environment.label} must be {' or '.join(ENVIRONMENTS)}, not {environment.value!r}",
            hint=f"correct or unset {environment.label}",
        )


def read_profile(selected: Setting | None) -> Source:
    """Return the settings of a profile in the configuration file.

    Args:
        selected: The name of the profile; `None` selects the profile `default` if it exists.

    Raises:
        UsageError: The file or the profile does not exist, or the file is invalid.
    """
    named = os.environ.get(_CONFIG_VARIABLE)
    label = _CONFIG_VARIABLE if named else "the configuration file"
    file = Path(os.path.expanduser(named)) if named else default_config_file(os.environ, sys.platform)
    # A service may have no home directory, or one that it may not read. `os.path.exists` raises no error.
    if not (named or selected or os.path.exists(file)):
        return {}
    return select_profile(parse_profiles(_read_text(file, label), file), selected, file)


def default_config_file(environ: Mapping[str, str], platform: str) -> Path:
    """Return the path of the configuration file if `PX_CONFIG` is not set."""
    variable = "APPDATA" if platform == "win32" else "XDG_CONFIG_HOME"
    directory = os.path.expanduser(environ.get(variable) or "~/.config")
    return Path(directory) / "packagex/config.toml"


def read_key(setting: Setting, name: str) -> str:
    """Return the API key of a setting.

    Args:
        setting: The setting.
        name: The name of the setting: `api_key`, `api_key_file` or `api_key_command`.

    Raises:
        UsageError: There is no key. The message contains no output of the command.
    """
    match name:
        case "api_key_file":
            key = _read_text(setting.value, setting.label)
        case "api_key_command":
            key = run_key_command(setting.value, setting.label)
        case _:
            key = setting.value
    if not key.strip().strip("\ufeff").strip():
        raise UsageError(f"{setting.label}: there is no API key", hint="check that the key was written there")
    return str(key)


def run_key_command(command: Sequence[str], label: str, *, timeout: float = _COMMAND_SECONDS) -> str:
    """Run a command without a shell, and return its output until it ends.

    Raises:
        UsageError: The command fails or takes more than `timeout` seconds.
    """
    try:
        output = read_output(command, timeout, _MAX_TEXT_LENGTH)
        if len(output) <= _MAX_TEXT_LENGTH:
            return output.decode()
        reason = f"its output is longer than {_MAX_TEXT_LENGTH} bytes"
    except OSError as error:
        reason = f"{error.strerror}"
    except subprocess.CalledProcessError as error:
        reason = f"it failed with exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"it did not end within {timeout:g} seconds"
    except UnicodeDecodeError:
        reason = "its output is not UTF-8 text"
    # Raised here, because the exceptions contain the output.
    raise UsageError(
        f"{label}: the command {command[0]!r}: {reason}",
        hint="run the command in a terminal: it must print the key and nothing else",
    )


def read_ca_file(setting: Setting) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities in a PEM file, and those of the system.

    Raises:
        UsageError: The file cannot be read, or contains no certificate.
    """
    # Text between the certificates may contain names that are not ASCII.
    certificates = _read_bytes(setting.value, setting.label, _MAX_CA_LENGTH).decode("ascii", "ignore")
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError):
        raise UsageError(
            f"{setting.label}: {setting.value} contains no valid certificate",
            hint="name a file with certificates in PEM format: -----BEGIN CERTIFICATE-----",
        ) from None
    return context


def _read_bytes(file: Path, label: str, max_length: int) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(max_length + 1)
    except OSError as error:
        raise _unreadable(label, file, error.strerror) from error
    if len(data) > max_length:
        raise UsageError(f"{label}: {file} is longer than {max_length} bytes", hint="check the path")
    return data


def _read_text(file: Path, label: str) -> str:
    try:
        # Some editors write a byte order mark at the start of a file.
        return _read_bytes(file, label, _MAX_TEXT_LENGTH).decode("utf-8-sig")
    except UnicodeDecodeError:
        # The message of the UnicodeDecodeError quotes the contents of the file.
        raise UsageError(f"{label}: {file} is not UTF-8 text", hint="save the file as UTF-8") from None


def _unreadable(label: str, file: Path, reason: str | None) -> UsageError:
    return UsageError(f"{label}: {file}: {reason}", hint="check the path and the permissions of the file")
