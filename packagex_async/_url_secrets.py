"""Removes the secrets of URLs from any text: users, passwords, queries, fragments, and parameters by name.

The text may be quoted, JSON-escaped, percent-encoded or HTML-escaped, once or several times. Nothing here
depends on the characters that follow a delimiter. Where the end of a secret is not certain, the rest of the
text is removed: a short message is better than a secret.
"""

from __future__ import annotations

import re
import sys

REMOVED = "[redacted]"

_ENTITIES = {"?": "quest", "#": "num", "/": "sol", ":": "colon", "@": "commat", "=": "equals"}


def encodings(character: str) -> str:
    """Return a regular expression for the ways in which text spells an ASCII character."""
    return f"(?:{re.escape(character)}|%(?:25)*{ord(character):02x}|{_escapes(character)})"


def _escapes(character: str) -> str:
    code = f"{ord(character):02x}"
    entity = f"{_ENTITIES[character]}|" if character in _ENTITIES else ""
    return rf"\\(?:u00|x){code}|&(?:{entity}#{ord(character)}|#x{code});"


_SLASH, _COLON, _EQUALS = map(encodings, "/:=")
_DELIMITER = f"(?:{encodings('?')}|{encodings('#')})"
# The mark that an earlier removal has left is passed over, so that the words behind it survive a second one.
_NOT_REMOVED = rf"(?!{re.escape(REMOVED)}(?:[\s:;,.)\]}}'\"]|\Z))"

# Two slashes or more, even in JSON (`\/\/`), or two backslashes after a colon. A scheme is not needed.
_URL = re.compile(rf"{_SLASH}(?:\\*{_SLASH})+|{_COLON}\\\\", re.IGNORECASE)
_SEGMENT_END = re.compile(rf"{_SLASH}|{_DELIMITER}|\s|\Z", re.IGNORECASE)
_ANY_COLON = re.compile(_COLON, re.IGNORECASE)
_ANY_AT = re.compile(encodings("@"), re.IGNORECASE)
# A percent-encoded @ ends no user of a URL that is not percent-encoded itself.
_PLAIN_AT = re.compile(rf"@|{_escapes('@')}", re.IGNORECASE)
_ANY_SLASH = re.compile(_SLASH, re.IGNORECASE)
_ANY_DELIMITER = re.compile(f"{_DELIMITER}{_NOT_REMOVED}", re.IGNORECASE)
# A relative path with a query. In a sentence, a blank or nothing follows a question mark.
_QUERY = re.compile(rf"{encodings('?')}{_NOT_REMOVED}(?=\S)", re.IGNORECASE)
# A query or a fragment that begins with `name=`, even if neither a host nor a path comes before it.
_PARAMETERS = re.compile(rf"{_DELIMITER}(?=[^\s?#=]{{0,64}}?{_EQUALS})", re.IGNORECASE)

_NAMES = (
    r"x-(?:amz|goog|ms|px|oss|cos|obs)-[\w-]{0,64}|signature\w{0,16}|(?<![a-z0-9])sig|token|authorization"
    r"|access[_-]?key\w{0,16}|access[_-]?id|api[_-]?key|password|passwd|secret\w{0,16}|credential"
)
_HEADERS = r"x-(?:amz|goog|ms|px|oss|cos|obs)-[\w-]{0,64}|authorization|px-api-key|x-api-key"
_PAIR = re.compile(
    rf"(?:(?:{_NAMES})(?:\s{{0,3}}{_EQUALS}|\\{{0,4}}[\"']\s{{0,3}}[:=]|>)|(?:{_HEADERS})\s{{0,3}}:)"
    rf"{_NOT_REMOVED}",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(rf"(?:{_NAMES})\Z", re.IGNORECASE)

# Most texts have no character that any of these could begin with.
_HARMLESS = re.compile(r"[\w .,()+*!;-]*")


def remove_url_secrets(text: str) -> str:
    """Return `text` without the secrets of any URL in it; scheme, host and path stay readable."""
    if _HARMLESS.fullmatch(text):
        return text
    text = _without_users(text)
    cuts = [cut for cut in (_query_of_url(text), _query_of_path(text), _start(_PARAMETERS, text)) if cut >= 0]
    if cuts:
        text = f"{text[: min(cuts)]}?{REMOVED}"
    pair = _PAIR.search(text)
    return text if pair is None else f"{text[: pair.end()]}{REMOVED}"


def names_a_secret(name: str) -> bool:
    """Return whether a field of this name holds a secret, such as `X-Amz-Signature`."""
    return _SECRET_NAME.search(name) is not None


def _without_users(text: str) -> str:
    last = {pattern: _last(pattern, text) for pattern in (_ANY_AT, _PLAIN_AT)}
    kept: list[str] = []
    position = 0
    while (url := _URL.search(text, position)) is not None and url.end() <= last[_ANY_AT][0]:
        kept.append(text[position : url.end()])
        position = url.end()
        end = _start(_SEGMENT_END, text, position)
        pattern = _ANY_AT if "%" in url[0] else _PLAIN_AT
        if position <= last[pattern][0] and _ANY_COLON.search(text, position, end) is not None:
            # A password may hold any character, so it ends at the last @ of the whole text.
            return "".join(kept) + _behind_password(text, position, last[pattern])
        position = max(position, _last(pattern, text, position, end)[1])
    return "".join(kept) + text[position:]


def _behind_password(text: str, position: int, at: tuple[int, int]) -> str:
    # Whether a delimiter before the @ belongs to the password or begins a query is not certain.
    return REMOVED if 0 <= _start(_ANY_DELIMITER, text, position) < at[0] else text[at[1] :]


def _query_of_url(text: str) -> int:
    url = _URL.search(text)
    return -1 if url is None else _start(_ANY_DELIMITER, text, url.end())


def _query_of_path(text: str) -> int:
    slash = _ANY_SLASH.search(text)
    return -1 if slash is None else _start(_QUERY, text, slash.end())


def _last(pattern: re.Pattern[str], text: str, start: int = 0, end: int = sys.maxsize) -> tuple[int, int]:
    span = (-1, -1)
    for found in pattern.finditer(text, start, end):
        span = found.span()
    return span


def _start(pattern: re.Pattern[str], text: str, position: int = 0) -> int:
    found = pattern.search(text, position)
    return -1 if found is None else found.start()
