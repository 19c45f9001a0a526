"""No secret leaves this package as text: not in a message, and not in a traceback that shows its locals.

`sanitize` is the one function through which text of a server or of a disk reaches a message, a log or a
terminal.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from packagex_async._utils.key_redaction import forms_of_key, remove_key
from packagex_async._utils.url_secrets import REMOVED, names_a_secret, remove_url_secrets

P = ParamSpec("P")
T = TypeVar("T")

_MAX_DEPTH = 32
_MAX_ITEMS = 5_000
_OMITTED = "[omitted]"
_CUT_SIZE = 1024
"""Characters at the cut end of a long text that are left out: they may be the first half of a secret."""

_MIN_REDACTED_KEY = 8
"""Characters of the shortest key that is redacted in every text; a shorter one may be a part of any word."""

_keys: list[weakref.ref[Secret]] = []
"""The keys of all clients of this process: a server can put a key into any field of any response."""


class Secret:
    """A key that has to be asked for by name before it can be read, so that no repr or traceback shows it."""

    __slots__ = ("__weakref__", "_forms", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms: frozenset[str] | None = None
        if len(text) >= _MIN_REDACTED_KEY:
            _keys.append(weakref.ref(self, _keys.remove))

    def reveal(self) -> str:
        return self._text

    def strike(self, text: str) -> str:
        """`text` with every occurrence of the secret struck out, however its characters are encoded."""
        if self._forms is None:
            self._forms = forms_of_key(self._text)
        return remove_key(text, self._forms)

    def __repr__(self) -> str:
        return "Secret('...')"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key is not pickled: read it again where it is needed")


def redact(text: str) -> str:
    """`text` without API keys, and with the user, query and fragment of every URL in it cut away.

    What follows a query or a fragment is cut away with it.
    """
    for key in filter(None, [reference() for reference in tuple(_keys)]):
        text = key.strike(text)
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
    size = 4 * limit + _CUT_SIZE
    text = _text(value, size)
    is_cut = len(text) == size
    if key is not None:
        text = key.strike(text)
    # Escaped first, so that no control character hides what is to be redacted.
    text = escape(text)
    # The @ stands for the one that may follow a password.
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
    if isinstance(name, str) and isinstance(item, str) and names_a_secret(name):
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
