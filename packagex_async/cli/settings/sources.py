"""Combine the settings of several sources. A setting knows its name in its source, for messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from packagex_async.cli.messages.usage import UsageError

ENVIRONMENTS = ("production", "sandbox")


@attrs.frozen
class Setting:
    """The value of a setting.

    Attributes:
        value: The value. It may be a secret.
        label: The name of the setting in its source, such as `--base-url` or `PX_BASE_URL`.
    """

    value: Any = attrs.field(repr=False)
    label: str


Source = Mapping[str, Setting]
"""The settings of one source by name. The names are those of the options, in snake case."""

_ALTERNATIVES = (
    frozenset({"base_url", "environment"}),
    frozenset({"api_key", "api_key_file", "api_key_command"}),
)
"""Settings that replace each other. A source contains at most one of each group."""


def merge(sources: Iterable[Source]) -> dict[str, Setting]:
    """Combine settings. The first source that contains a setting, or an alternative to it, determines it.

    Raises:
        UsageError: A source contains two alternatives, and no source before it contains one.
    """
    merged: dict[str, Setting] = {}
    for source in sources:
        used = {name: setting for name, setting in source.items() if not merged.keys() & _group(name)}
        check_alternatives(used)
        merged |= used
    return merged


def _group(name: str) -> frozenset[str]:
    """Return the names of the settings that replace the setting `name`, including itself."""
    return next((group for group in _ALTERNATIVES if name in group), frozenset({name}))


def check_alternatives(source: Source) -> None:
    """Check that a source contains at most one of several alternatives.

    Raises:
        UsageError: It contains two.
    """
    for group in _ALTERNATIVES:
        labels = sorted(source[name].label for name in source.keys() & group)
        if len(labels) > 1:
            raise UsageError(
                f"{' and '.join(labels)} exclude each other", hint=f"remove {' or '.join(labels)}"
            )
