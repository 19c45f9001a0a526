"""The configuration file is parsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.profiles import parse_profiles, select_profile
from packagex_async.cli.settings.sources import Setting

FILE = Path("/etc/packagex/config.toml")


def parse(lines: str) -> dict[str, object]:
    """Return the values of the profile `work` with these lines."""
    source = parse_profiles(f"[profiles.work]\n{lines}", FILE)["work"]
    return {name: setting.value for name, setting in source.items()}


def failure(text: str) -> UsageError:
    """Return the error for a file with this text."""
    with pytest.raises(UsageError) as raised:
        parse_profiles(text, FILE)
    assert str(FILE) in str(raised.value)
    assert raised.value.hint
    return raised.value


def test_all_keys() -> None:
    """Each key is that of an option in snake case."""
    assert parse("""
        api_key_file = "key"
        environment = "sandbox"
        proxy = "http://proxy:8080"
        ca_file = "/etc/ca.pem"
        request_timeout = 10
        stall_timeout = 2.5
        attempts = 3
    """) == {
        "api_key_file": FILE.parent / "key",
        "environment": "sandbox",
        "proxy": "http://proxy:8080",
        "ca_file": Path("/etc/ca.pem"),
        "request_timeout": 10,
        "stall_timeout": 2.5,
        "attempts": 3,
    }


def test_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may start with ~."""
    monkeypatch.setenv("HOME", "/home/me")
    assert parse('ca_file = "~/ca.pem"') == {"ca_file": Path("/home/me/ca.pem")}


@pytest.mark.parametrize("text", ['["pass", "show", "the key"]', "\"pass show 'the key'\""])
def test_key_command(text: str) -> None:
    """It is an array, or a string that is split as a shell does."""
    assert parse(f"api_key_command = {text}") == {"api_key_command": ("pass", "show", "the key")}


def test_label_names_key_profile_and_file() -> None:
    """Messages about a setting contain it."""
    setting = parse_profiles("[profiles.work]\nattempts = 3", FILE)["work"]["attempts"]
    assert setting.label == f"attempts in profile 'work' of {FILE}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("environment = 'moon'", "environment must be 'production' or 'sandbox'"),
        ("environment = 1", "environment must be 'production' or 'sandbox'"),
        ("base_url = 1", "base_url must be a URL"),
        ("proxy = ''", "proxy must be a URL"),
        ("ca_file = ['a']", "ca_file must be a path"),
        ("request_timeout = '10'", "request_timeout must be a number of seconds"),
        ("stall_timeout = true", "stall_timeout must be a number of seconds"),
        ("attempts = 1.5", "attempts must be a whole number"),
        ("attempts = true", "attempts must be a whole number"),
        ("api_key_command = []", "api_key_command must be a command"),
        ("api_key_command = ['pass', 1]", "api_key_command must be a command"),
        ('api_key_command = "pass \'key"', "api_key_command must be a command"),
        (r'api_key_file = "a\u0000"', "api_key_file must be a path"),
        (r'api_key_command = ["a\u0000"]', "api_key_command must be a command"),
        ("api_key_command = 1", "api_key_command must be a command"),
        ("api_key = 'px_secret'", "api_key is not allowed"),
        ("ap_key_file = 'a'", "'ap_key_file' is not a known key"),
    ],
)
def test_invalid_key(line: str, expected: str) -> None:
    """The message names file, profile and key, but not the value."""
    message = str(failure(f"[profiles.work]\n{line}"))
    assert message.startswith(f"profile 'work' of {FILE}: {expected}")
    assert "px_secret" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[profiles", "is not valid TOML"),
        ("a = " + "[" * 5000, "is not valid TOML"),
        ("a = " + "1" * 5000, "is not valid TOML"),
        ("base_url = 'https://a'", "'base_url' is not a known key"),
        ("[work]\nattempts = 1", "'work' is not a known key"),
        ("profiles = 1", "profiles must be a table"),
        ("[profiles]\nwork = 1", "must be a table"),
    ],
)
def test_invalid_file(text: str, expected: str) -> None:
    """The message names the file."""
    assert expected in str(failure(text))


def test_alternatives_in_a_profile() -> None:
    """They are an error, even if options override them."""
    message = failure("[profiles.work]\napi_key_file = 'a'\napi_key_command = 'b'")
    place = f"in profile 'work' of {FILE}"
    assert str(message) == f"api_key_command {place} and api_key_file {place} exclude each other"


def test_profile_is_selected() -> None:
    """Without a name, it is the profile `default` if there is one."""
    profiles = parse_profiles("[profiles.default]\nattempts = 1\n[profiles.work]\nattempts = 2", FILE)
    assert select_profile(profiles, None, FILE)["attempts"].value == 1
    assert select_profile(profiles, Setting("work", "--profile"), FILE)["attempts"].value == 2
    assert select_profile({}, None, FILE) == {}


def test_unknown_profile() -> None:
    """The message names the option, the file and the profiles in it."""
    profiles = parse_profiles("[profiles.work]", FILE)
    with pytest.raises(UsageError, match=f"--profile: {FILE} has no profile 'home'") as raised:
        select_profile(profiles, Setting("home", "--profile"), FILE)
    assert "profiles in the file: work" in str(raised.value.hint)
