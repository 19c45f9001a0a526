"""Removal of secrets in URLs from any text: user names, passwords, queries, fragments, and named parameters.

The text may be quoted, JSON-escaped, percent-encoded or HTML-escaped, once or several times. Detection does
not depend on the characters that follow a delimiter. If the end of a secret is not certain, the rest of the
text is removed: losing part of a message is better than leaking a secret.
"""

from __future__ import annotations

import functools
import re
import sys

REMOVED = "[redacted]"

_ENTITIES = {"?": "quest", "#": "num", "/": "sol", ":": "colon", "@": "commat", "=": "equals"}


def encoded_forms(character: str) -> str:
    """Return a regular expression that matches an ASCII character in any of its encodings."""
    return f"(?:{re.escape(character)}|%(?:25)*{ord(character):02x}|{_escapes(character)})"


def _escapes(character: str) -> str:
    code = f"{ord(character):02x}"
    entity = f"{_ENTITIES[character]}|" if character in _ENTITIES else ""
    return rf"\\(?:u00|x){code}|&(?:{entity}#{ord(character)}|#x{code});"


_SLASH, _COLON, _EQUALS = map(encoded_forms, "/:=")
_DELIMITER = f"(?:{encoded_forms('?')}|{encoded_forms('#')})"
# Skip the marker of an earlier removal, so that a second pass does not remove the text after it.
_NOT_REMOVED = rf"(?!{re.escape(REMOVED)}(?:[\s:;,.)\]}}'\"]|\Z))"

# Two slashes or more, even in JSON (`\/\/`), or two backslashes after a colon. A scheme is not needed.
_URL = rf"{_SLASH}(?:\\*{_SLASH})+|{_COLON}\\\\"
_SEGMENT_END = rf"{_SLASH}|{_DELIMITER}|\s|\Z"
_AT = encoded_forms("@")
# In a URL that is not percent-encoded itself, a percent-encoded @ does not end the user information.
_PLAIN_AT = rf"@|{_escapes('@')}"
_QUERY_OR_FRAGMENT = f"{_DELIMITER}{_NOT_REMOVED}"
# A relative path with a query. The question mark of a sentence is followed by a space, closing punctuation or
# the end of the text.
_QUERY = rf"{encoded_forms('?')}{_NOT_REMOVED}(?![)\]\"'.,;:!?]{{0,4}}(?:\s|\Z))"
# A query or a fragment that begins with `name=`, even without a host or path before it.
_PARAMETERS = rf"{_DELIMITER}(?=[^\s?#=]{{0,64}}?{_EQUALS})"

_NAMES = (
    r"x-(?:amz|goog|ms|px|oss|cos|obs)-[\w-]{0,64}|signature\w{0,16}|(?<![a-z0-9])sig|token|authorization"
    r"|access[_-]?key\w{0,16}|access[_-]?id|api[_-]?key|password|passwd|secret\w{0,16}|credential"
)
_HEADERS = r"x-(?:amz|goog|ms|px|oss|cos|obs)-[\w-]{0,64}|authorization|px-api-key|x-api-key"
_PAIR = (
    rf"(?:(?:{_NAMES})(?:\s{{0,3}}{_EQUALS}|\\{{0,4}}[\"']\s{{0,3}}[:=]|>)|(?:{_HEADERS})\s{{0,3}}:)"
    rf"{_NOT_REMOVED}"
)
_SECRET_NAME = rf"(?:{_NAMES})\Z"

# Most texts contain no character that could begin one of these patterns.
_HARMLESS = r"[\w .,()+*!;-]*"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Compiling at import time would take a third of the time that importing the client takes.
    return re.compile(pattern, re.IGNORECASE)


def remove_url_secrets(text: str) -> str:
    """Return `text` without the secrets of any URL in it; schemes, hosts and paths are kept."""
    if _compiled(_HARMLESS).fullmatch(text):
        return text
    text = _without_users(text)
    cuts = [cut for cut in (_query_of_url(text), _query_of_path(text), _start(_PARAMETERS, text)) if cut >= 0]
    if cuts:
        text = f"{text[: min(cuts)]}?{REMOVED}"
    pair = _compiled(_PAIR).search(text)
    return text if pair is None else f"{text[: pair.end()]}{REMOVED}"


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a secret, such as `X-Amz-Signature`."""
    return _compiled(_SECRET_NAME).search(name) is not None


def _without_users(text: str) -> str:
    last = {pattern: _last(pattern, text) for pattern in (_AT, _PLAIN_AT)}
    kept: list[str] = []
    position = 0
    while (url := _compiled(_URL).search(text, position)) is not None and url.end() <= last[_AT][0]:
        kept.append(text[position : url.end()])
        position = url.end()
        end = _start(_SEGMENT_END, text, position)
        pattern = _AT if "%" in url[0] else _PLAIN_AT
        if position <= last[pattern][0] and _contains(_COLON, text, position, end):
            # A password may contain any character, so assume that it ends at the last @ of the whole text.
            return "".join(kept) + _after_password(text, position, last[pattern])
        position = max(position, _last(pattern, text, position, end)[1])
    return "".join(kept) + text[position:]


def _after_password(text: str, position: int, at: tuple[int, int]) -> str:
    # A delimiter before the @ may belong to the password or begin a query.
    return REMOVED if 0 <= _start(_QUERY_OR_FRAGMENT, text, position) < at[0] else text[at[1] :]


def _query_of_url(text: str) -> int:
    url = _compiled(_URL).search(text)
    return -1 if url is None else _start(_QUERY_OR_FRAGMENT, text, url.end())


def _query_of_path(text: str) -> int:
    slash = _compiled(_SLASH).search(text)
    return -1 if slash is None else _start(_QUERY, text, slash.end())


def _contains(pattern: str, text: str, start: int, end: int) -> bool:
    return _compiled(pattern).search(text, start, end) is not None


def _last(pattern: str, text: str, start: int = 0, end: int = sys.maxsize) -> tuple[int, int]:
    span = (-1, -1)
    for found in _compiled(pattern).finditer(text, start, end):
        span = found.span()
    return span


def _start(pattern: str, text: str, position: int = 0) -> int:
    found = _compiled(pattern).search(text, position)
    return -1 if found is None else found.start()
