"""No secret leaves this package as text: not in a message, and not in a traceback that shows its locals.

`sanitize` is the one function through which text of a server or of a disk reaches a message, a log or a
terminal.
"""

from __future__ import annotations

import base64
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from packagex_async._utils.url_secrets import REMOVED, is_secret_name, remove_url_secrets

P = ParamSpec("P")
T = TypeVar("T")

_MAX_DEPTH = 32
_MAX_ITEMS = 5_000
_OMITTED = "[omitted]"
_MIN_BASE64_KEY = 12
"""Keys of fewer characters have too little base64 that is theirs alone."""


class Secret:
    """A key that has to be asked for by name before it can be read, so that no repr or traceback shows it."""

    __slots__ = ("_pattern", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._pattern: re.Pattern[str] | None = None

    def reveal(self) -> str:
        return self._text

    def redact(self, text: str) -> str:
        """`text` with every occurrence of the secret struck out, however its characters are encoded."""
        if self._pattern is None:
            self._pattern = _pattern_of(self._text)
        return self._pattern.sub("[key]", text)

    def __repr__(self) -> str:
        return "Secret('...')"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key is not pickled: read it again where it is needed")


def _pattern_of(secret: str) -> re.Pattern[str]:
    # JSON and repr put backslashes before some characters; a form has a plus for a blank.
    spelled = "".join(
        rf"(?:\+|{encoded_forms(character)})" if character == " " else rf"\\{{0,3}}{encoded_forms(character)}"
        for character in secret
    )
    return re.compile("|".join([f"(?i:{spelled})", *map(re.escape, _in_base64(secret))]))


def _in_base64(secret: str) -> list[str]:
    """The base64 that stands for the secret alone, wherever in the encoded bytes it begins."""
    if len(secret) < _MIN_BASE64_KEY:
        return []
    found = []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret.encode(errors="replace")).decode()
        whole = encoded[-(-8 * shift // 6) : 8 * (shift + len(secret.encode(errors="replace"))) // 6]
        found += [whole, whole.replace("+", "-").replace("/", "_")]
    return found


def redact(text: str) -> str:
    """`text` with the user, query and fragment of every URL in it cut away, and with them what follows."""
    return remove_url_secrets(text)


def escape(text: str) -> str:
    """`text` in which everything that is not printable is escaped, so that it is one line.

    That is every control and format character, separators but the blank, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def sanitize(value: object, *, limit: int = 300, key: Secret | None = None) -> str:
    """Return `value` as one line of text that is safe in a message, a log or a terminal.

    URLs lose their user, query and fragment; control characters are escaped; a long text is shortened. The
    work is bounded by `limit`, however long the text is.

    Args:
        value: Text, or any other value, that a server or a disk controls.
        limit: The largest number of characters to return.
        key: The API key, which is struck out.
    """
    text = _text(value, 4 * limit + 1024)
    if key is not None:
        text = key.redact(text)
    # Escaped first, so that no control character hides what is to be redacted.
    text = redact(escape(text))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _text(value: object, limit: int) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        value = redact_json(value, lambda text: text[:limit])
    try:
        return str(value)[:limit]
    except ValueError:
        # Python refuses to spell out integers of thousands of digits.
        return f"<{type(value).__name__}>"


def redact_json(value: Any, clean: Callable[[str], str] = redact) -> Any:
    """A copy of a JSON value in which every string, and every name in a mapping, went through `clean`.

    What is nested too deep, or comes after thousands of items, is left out.
    """
    return _cleaned(value, clean, 0, itertools.count())


def _cleaned(value: Any, clean: Callable[[str], str], depth: int, items: itertools.count[int]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth == _MAX_DEPTH:
        return _OMITTED
    if isinstance(value, Mapping):
        return {
            clean(name) if isinstance(name, str) else name: _cleaned_field(name, item, clean, depth, items)
            for name, item in itertools.islice(value.items(), _MAX_ITEMS)
            if next(items) < _MAX_ITEMS
        }
    return [
        _cleaned(item, clean, depth + 1, items)
        for item in itertools.islice(value, _MAX_ITEMS)
        if next(items) < _MAX_ITEMS
    ]


def _cleaned_field(
    name: object, item: Any, clean: Callable[[str], str], depth: int, items: itertools.count[int]
) -> Any:
    if isinstance(name, str) and isinstance(item, str) and is_secret_name(name):
        return REMOVED
    return _cleaned(item, clean, depth + 1, items)


def strip_traceback(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, whose errors leave without its frames: some tracebacks show what local variables hold."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            failure = error.with_traceback(None)
        raise failure

    return call
