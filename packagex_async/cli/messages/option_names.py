"""Replace names of Python parameters in messages by names of options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

OPTIONS: dict[str, str] = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "artifacts", "attempts", "base_url", "columns", "concurrency", "count_rows", "created_after",
        "created_before", "datetime_format", "digest", "direction", "dry_run", "environment", "exclude",
        "follow", "format", "interval", "layout", "limit", "max_size", "options", "order_by", "overwrite",
        "page", "proxy", "prune_after", "require_verification", "resource", "resume", "search", "segments",
        "stall_timeout", "statuses", "timezone", "verify", "wait",
    )
} | {
    "api_key": "the API key",
    "artifact": "ARTIFACT",
    "bandwidth_limit": "--bwlimit",
    "csv_field_options": "--columns, --timezone or --datetime-format",
    "directory": "DIRECTORY",
    "durability": "--fsync",
    "export_id": "EXPORT_ID",
    "timeout": "--request-timeout",
}  # fmt: skip
"""The option or argument for each parameter of the SDK that a command sets."""

_TEXTS = (
    ("list(resource=..., direction='desc')", "packagex-exports list --direction desc"),
    ("download_all creates", "sync creates"),
    ("resource must be a kind", "RESOURCE must be a kind"),
    ("pass api_key, or set", "set"),
)
"""Texts that are replaced as a whole."""

_KEYWORD = re.compile(r"(?<![\w.-])([a-z]\w*)=(True|False|None|\.\.\.|'\w*'|\"\w*\"|\d+)(?!\w)")
"""A keyword argument in a call of Python, such as `overwrite=True`."""

_SUBJECT = re.compile(r"(?:RetryPolicy\.)?([a-z]\w*)(?=( '[^']*')? (must|cannot|is empty)\b|: )")
"""The parameter at the beginning of a message, such as `segments must be 8 or less`."""

_COMPOUND = re.compile(r"(?<![\w.'\"/-])([a-z]+(?:_[a-z]+)+)(?![\w.'\"/=-])")
"""A parameter with an underscore within a message."""


def use_option_names(message: str, labels: Mapping[str, str] | None = None) -> str:
    """Return a message of the SDK with names of options.

    Args:
        message: The message. Names in text of the server are replaced, too.
        labels: Names to use instead of those of the options.
    """
    for text, replacement in _TEXTS:
        message = message.replace(text, replacement)
    names = {**OPTIONS, **(labels or {})}
    replace = partial(_replace_name, names)
    message = _KEYWORD.sub(partial(_replace_keyword, names), message)
    beginning = ""
    if subject := _SUBJECT.match(message):
        beginning, message = replace(subject), message[subject.end() :]
    return beginning + _COMPOUND.sub(replace, message).replace("pass --", "use --")


def _replace_name(names: Mapping[str, str], match: re.Match[str]) -> str:
    return names.get(match[1], match[0])


def _replace_keyword(names: Mapping[str, str], match: re.Match[str]) -> str:
    name, value = match[1], match[2].strip("'\"")
    if name not in names:
        return match[0]
    if value == "False":
        return f"--no-{names[name].removeprefix('--')}"
    return names[name] if value in ("True", "...") else f"{names[name]} {value}"
