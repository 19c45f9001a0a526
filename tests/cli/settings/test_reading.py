"""Settings are read from variables, files and commands."""

from __future__ import annotations

import re
import ssl
import sys
from pathlib import Path

import pytest
import trustme

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.reading import (
    check_environment,
    default_config_file,
    read_ca_file,
    read_key,
    read_profile,
    read_variables,
    run_key_command,
)
from packagex_async.cli.settings.sources import Setting
from tests.cli.support import CANARY


def python(code: str) -> Setting:
    """Return a setting with a command that runs this code."""
    return Setting((sys.executable, "-c", code), "api_key_command")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as unset."""
    monkeypatch.setenv("PX_BASE_URL", "https://a")
    monkeypatch.setenv("PX_ENVIRONMENT", " ")
    monkeypatch.setenv("PX_PROFILE", "work")
    assert {name: (setting.value, setting.label) for name, setting in read_variables().items()} == {
        "api_key": (CANARY, "PX_API_KEY"),
        "base_url": ("https://a", "PX_BASE_URL"),
        "profile": ("work", "PX_PROFILE"),
    }


def test_invalid_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable and the accepted values."""
    monkeypatch.setenv("PX_ENVIRONMENT", "moon")
    with pytest.raises(UsageError, match="PX_ENVIRONMENT must be production or sandbox, not 'moon'"):
        check_environment(read_variables())
    check_environment({})


@pytest.mark.parametrize(
    ("environ", "platform", "path"),
    [
        ({"XDG_CONFIG_HOME": "/xdg"}, "linux", "/xdg/packagex/config.toml"),
        ({"XDG_CONFIG_HOME": ""}, "darwin", "~/.config/packagex/config.toml"),
        ({"APPDATA": "/roaming", "XDG_CONFIG_HOME": "/xdg"}, "win32", "/roaming/packagex/config.toml"),
    ],
)
def test_default_config_file(environ: dict[str, str], platform: str, path: str) -> None:
    """It depends on the platform."""
    assert default_config_file(environ, platform) == Path(path).expanduser()


def test_no_config_file() -> None:
    """A missing default file is empty, unless a profile is selected."""
    assert read_profile(None) == {}
    with pytest.raises(UsageError, match=r"the configuration file: .*config\.toml: No such file"):
        read_profile(Setting("work", "--profile"))


def test_config_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names another file, which must exist."""
    monkeypatch.setenv("PX_CONFIG", str(tmp_path / "my.toml"))
    with pytest.raises(UsageError, match=r"PX_CONFIG: .*my\.toml: No such file"):
        read_profile(None)
    (tmp_path / "my.toml").write_text("[profiles.default]\nattempts = 2", encoding="utf-8-sig")
    assert read_profile(None)["attempts"].value == 2


def test_config_file_is_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message does not quote it."""
    (tmp_path / "my.toml").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("PX_CONFIG", str(tmp_path / "my.toml"))
    with pytest.raises(UsageError, match=r"my\.toml is not UTF-8 text"):
        read_profile(None)


def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may run without one. The key and the options are then read from variables."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert read_profile(None) == {}


def test_unknown_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The home directory of an unknown user is not replaced."""
    monkeypatch.setenv("PX_CONFIG", "~no-such-user/my.toml")
    with pytest.raises(UsageError, match=r"PX_CONFIG: ~no-such-user/my\.toml: No such file"):
        read_profile(None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no device without an end")
@pytest.mark.parametrize("name", ["api_key_file", "ca_file"])
def test_endless_file(name: str) -> None:
    """A device without an end is not read into memory."""
    setting = Setting(Path("/dev/zero"), name)
    with pytest.raises(UsageError, match=rf"{name}: /dev/zero is longer than \d+ bytes"):
        read_ca_file(setting) if name == "ca_file" else read_key(setting, name)


def test_key_command() -> None:
    """Its output is the key. Its stderr is not shown."""
    setting = python(f"import sys; print({CANARY!r}); print('note', file=sys.stderr)")
    assert read_key(setting, "api_key_command").strip() == CANARY


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (f"import sys; print({CANARY!r}); sys.exit({CANARY!r})", "it failed with exit code 1"),
        (r"import sys; sys.stdout.buffer.write(b'\xff')", "its output is not UTF-8 text"),
        ("print()", "there is no API key"),
    ],
)
def test_failed_key_command(code: str, reason: str) -> None:
    """The error has no output of the command, and no cause that contains it."""
    with pytest.raises(UsageError, match=reason) as raised:
        read_key(python(code), "api_key_command")
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_key_command_without_end() -> None:
    """It is killed after the timeout."""
    with pytest.raises(UsageError, match=r"it did not end within 0\.01 seconds"):
        run_key_command(
            [sys.executable, "-c", "import os; os.read(os.pipe()[0], 1)"], "api_key_command", timeout=0.01
        )


def test_key_command_with_endless_output() -> None:
    """Its output is not kept in memory."""
    with pytest.raises(UsageError, match="its output is longer than 1048576 bytes"):
        run_key_command([sys.executable, "-c", "print('x' * 5_000_000)"], "api_key_command")


def test_missing_key_command() -> None:
    """The message names the command."""
    with pytest.raises(UsageError, match="the command 'no-such-command': No such file or directory"):
        run_key_command(["no-such-command"], "api_key_command")


def test_ca_file(tmp_path: Path) -> None:
    """The context trusts the authority, and those of the system."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    context = read_ca_file(Setting(tmp_path / "ca.pem", "--ca-file"))
    assert "trustme" in repr(context.get_ca_certs())
    assert len(context.get_ca_certs()) == len(ssl.create_default_context().get_ca_certs()) + 1


def test_ca_file_with_names(tmp_path: Path) -> None:
    """Text between the certificates may have any encoding."""
    (tmp_path / "ca.pem").write_bytes(b"# Z\xc3\xbcrich \xff\n" + trustme.CA().cert_pem.bytes())
    context = read_ca_file(Setting(tmp_path / "ca.pem", "--ca-file"))
    assert "trustme" in repr(context.get_ca_certs())


@pytest.mark.parametrize("content", [None, b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_invalid_ca_file(content: bytes | None, tmp_path: Path) -> None:
    """The message names the option and the file."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    reason = f": {path}: No such file" if content is None else f": {path} contains no valid certificate"
    with pytest.raises(UsageError, match=re.escape(f"--ca-file{reason}")):
        read_ca_file(Setting(path, "--ca-file"))
