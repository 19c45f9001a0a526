"""Redaction of secrets in messages, logs, reprs and tracebacks.

All text that comes from a server or a disk passes through `sanitize` before it reaches a message, a log or a
terminal.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from packagex_async._utils.key_redaction import forms_of_key, remove_key
from packagex_async._utils.url_secrets import REMOVED, is_secret_name, remove_url_secrets

P = ParamSpec("P")
T = TypeVar("T")

_MAX_DEPTH = 32
_MAX_ITEMS = 5_000
_OMITTED = "[omitted]"
_CUT_SIZE = 1024
"""Characters before the cut in a long text that are removed: they may be the first half of a secret."""

_MIN_REDACTED_KEY = 8
"""Characters of the shortest key that is redacted in every text. A shorter one may be a part of a word."""

_keys: list[weakref.ref[Secret]] = []
"""The keys of all clients of this process. A server can send a key in any field of any response."""


class Secret:
    """An API key that only `reveal` returns, so that no repr or traceback shows it."""

    __slots__ = ("__weakref__", "_forms", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms: frozenset[str] | None = None
        if len(text) >= _MIN_REDACTED_KEY:
            _keys.append(weakref.ref(self, _keys.remove))

    def reveal(self) -> str:
        """Return the key."""
        return self._text

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key replaced by `[key]`, whatever its encoding."""
        if self._forms is None:
            self._forms = forms_of_key(self._text)
        return remove_key(text, self._forms)

    def __repr__(self) -> str:
        return "Secret('...')"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("an API key cannot be pickled or copied: read it again where it is needed")


def redact(text: str) -> str:
    """Return `text` without API keys, and without the user information, query and fragment of any URL.

    The text after a query or fragment is removed, too.
    """
    for key in filter(None, [reference() for reference in tuple(_keys)]):
        text = key.redact(text)
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
    size = 4 * limit + _CUT_SIZE
    text = _text(value, size)
    is_cut = len(text) == size
    if key is not None:
        text = key.redact(text)
    # Escape first: a control character could hide a secret from the redaction.
    text = escape(text)
    # A password may end with an @ in the text that was cut off.
    text = redact(f"{text}@" if is_cut else text)
    if is_cut:
        text = text[:-_CUT_SIZE]
    return text if len(text) <= limit and not is_cut else f"{text[: limit - 3]}..."


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
