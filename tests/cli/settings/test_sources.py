"""Settings of several sources are combined."""

from __future__ import annotations

import pytest

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.sources import Setting, merge


def source(label: str, **values: object) -> dict[str, Setting]:
    """Return a source in which each label ends with the name of the setting."""
    return {name: Setting(value, f"{label} {name}") for name, value in values.items()}


def merged(*sources: dict[str, Setting]) -> dict[str, object]:
    """Return the values of the combined sources."""
    return {name: setting.value for name, setting in merge(sources).items()}


def test_first_source_takes_precedence() -> None:
    """Other settings come from later sources."""
    assert merged(source("option", proxy="a"), source("file", proxy="b", attempts=3)) == {
        "proxy": "a",
        "attempts": 3,
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"environment": "sandbox"}, {"base_url": "https://a"}),
        ({"base_url": "https://a"}, {"environment": "sandbox"}),
        ({"api_key_file": "a"}, {"api_key": "b"}),
        ({"api_key": "b"}, {"api_key_command": ("c",)}),
    ],
)
def test_alternatives_replace_each_other(first: dict[str, object], second: dict[str, object]) -> None:
    """An option of one kind overrides a variable of the other kind."""
    assert merged(source("option", **first), source("variable", **second)) == first


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"environment": "sandbox", "base_url": "https://a"}, "its base_url and its environment exclude"),
        (
            {"api_key_file": "a", "api_key_command": ("c",)},
            "its api_key_command and its api_key_file exclude",
        ),
    ],
)
def test_alternatives_in_one_source_are_rejected(values: dict[str, object], message: str) -> None:
    """The message names both settings. It is no error if an earlier source overrides them."""
    first, second = source("other", **dict(list(values.items())[:1])), source("its", **values)
    with pytest.raises(UsageError, match=message):
        merge([second, first])
    assert merge([first, second]) == first


def test_value_is_not_in_the_representation() -> None:
    """It may be a key."""
    assert "secret" not in repr(Setting("secret", "PX_API_KEY"))
