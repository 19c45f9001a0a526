"""Redaction of secrets in messages, logs, reprs and tracebacks.

All text that comes from a server or a disk passes through `sanitize` before it reaches a message, a log or a
terminal.
"""

from __future__ import annotations

import base64
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from packagex_async._utils.url_secrets import REMOVED, encoded_forms, is_secret_name, remove_url_secrets

P = ParamSpec("P")
T = TypeVar("T")

_MAX_DEPTH = 32
_MAX_ITEMS = 5_000
_OMITTED = "[omitted]"
_MIN_BASE64_KEY = 12
"""Characters; the base64 form of a shorter key is too short to be distinctive."""


class Secret:
    """An API key that only `reveal` returns, so that no repr or traceback shows it."""

    __slots__ = ("_pattern", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._pattern: re.Pattern[str] | None = None

    def reveal(self) -> str:
        """Return the key."""
        return self._text

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key replaced by `[key]`, whatever its encoding."""
        if self._pattern is None:
            self._pattern = _compile_key(self._text)
        return self._pattern.sub("[key]", text)

    def __repr__(self) -> str:
        return "Secret('...')"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("an API key cannot be pickled or copied: read it again where it is needed")


def _compile_key(key: str) -> re.Pattern[str]:
    # JSON and repr put backslashes before some characters; form encoding turns a space into a plus.
    encoded = "".join(
        rf"(?:\+|{encoded_forms(character)})" if character == " " else rf"\\{{0,3}}{encoded_forms(character)}"
        for character in key
    )
    return re.compile("|".join([f"(?i:{encoded})", *map(re.escape, _base64_forms(key))]))


def _base64_forms(key: str) -> list[str]:
    """Return the base64 text that depends on the key alone, for each of its three alignments."""
    if len(key) < _MIN_BASE64_KEY:
        return []
    data = key.encode(errors="replace")
    forms = []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data).decode()
        form = encoded[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        forms += [form, form.replace("+", "-").replace("/", "_")]
    return forms


def redact(text: str) -> str:
    """Return `text` without the user information of any URL, and without its query and fragment.

    The text after a query or fragment is removed, too.
    """
    return remove_url_secrets(text)


def escape(text: str) -> str:
    """Return `text` as one line, with every character escaped that is not printable.

    These are control and format characters, separators other than the space, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def sanitize(value: object, *, limit: int = 300, key: Secret | None = None) -> str:
    """Return `value` as one line of text that is safe in a message, a log or a terminal.

    URLs lose their user information, query and fragment, control characters are escaped, and a long text is
    shortened. The time is bounded by `limit`, whatever the length of the text.

    Args:
        value: Text, or any other value, that a server or a disk controls.
        limit: The largest number of characters to return.
        key: The API key to redact.
    """
    text = _text(value, 4 * limit + 1024)
    if key is not None:
        text = key.redact(text)
    # Escape first: a control character could hide a secret from the redaction.
    text = redact(escape(text))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _text(value: object, limit: int) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        value = redact_json(value, lambda text: text[:limit])
    try:
        return str(value)[:limit]
    except ValueError:
        # Python does not convert an integer of thousands of digits to text.
        return f"<{type(value).__name__}>"


def redact_json(value: Any, clean: Callable[[str], str] = redact) -> Any:
    """Return a copy of a JSON value in which `clean` was applied to every string and every name of a field.

    Values nested too deeply are replaced by `[omitted]`. Items beyond the first 5000 are left out.
    """
    return _clean_value(value, clean, 0, itertools.count())


def _clean_value(value: Any, clean: Callable[[str], str], depth: int, items: itertools.count[int]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth == _MAX_DEPTH:
        return _OMITTED
    if isinstance(value, Mapping):
        return {
            clean(name) if isinstance(name, str) else name: _clean_field(name, item, clean, depth, items)
            for name, item in itertools.islice(value.items(), _MAX_ITEMS)
            if next(items) < _MAX_ITEMS
        }
    return [
        _clean_value(item, clean, depth + 1, items)
        for item in itertools.islice(value, _MAX_ITEMS)
        if next(items) < _MAX_ITEMS
    ]


def _clean_field(
    name: object, item: Any, clean: Callable[[str], str], depth: int, items: itertools.count[int]
) -> Any:
    if isinstance(name, str) and isinstance(item, str) and is_secret_name(name):
        return REMOVED
    return _clean_value(item, clean, depth + 1, items)


def strip_traceback(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate `function` so that its errors lose their traceback, since some tools show local variables."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            failure = error.with_traceback(None)
        raise failure

    return call
