"""No secret leaves this package as text: not in a message, and not in a traceback that shows its locals."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_QUERY = re.compile(r"(https?://[^\s\"'<>?#]*)[?#][^\s\"'<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"(https?://)[^\s/\"'<>@]*@", re.IGNORECASE)


class Secret:
    """A key that has to be asked for by name before it can be read, so that no repr or traceback shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def strike(self, text: str) -> str:
        """`text` with every occurrence of the secret struck out."""
        return text.replace(self._text, "[key]")

    def __repr__(self) -> str:
        return "Secret('...')"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key is not pickled: read it again where it is needed")


def redact(text: str) -> str:
    """`text` with the query, fragment and user of every URL in it cut away."""
    return _USERINFO.sub(r"\1", _QUERY.sub(r"\1?[redacted]", text))


def sanitize(value: object, *, limit: int = 300) -> str:
    """Return `value` as one line of text that is safe in a message, a log or a terminal.

    URLs lose their query, fragment and user; control characters are escaped; a long text is shortened.

    Args:
        value: Text that a server or a disk controls.
        limit: The largest number of characters to return.
    """
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in redact(str(value)))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def redact_json(value: Any, clean: Callable[[str], str] = redact) -> Any:
    """A copy of a JSON value in which every string went through `clean`."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: redact_json(item, clean) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_json(item, clean) for item in value]
    return value


def discreet(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, whose errors leave without its frames: some tracebacks show what local variables hold."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            failure = error.with_traceback(None)
        raise failure

    return call
