"""Removes an API key from any text, also if it is encoded, or split by white space or invisible characters.

The text is divided into tokens. Each token stands for one character of printable ASCII, as `%2F` stands for a
slash, or for none, as a line break. The key is searched for among the characters that the tokens stand for.
"""

from __future__ import annotations

import base64
import functools
import re

REMOVED_KEY = "[key]"

MIN_BASE64_KEY = 12
"""Characters; the base64 form of a shorter key is too short to be distinctive."""

_ENCODED_CHARACTER = r"""
      (?:\x1b|\\{1,8}(?:x1b|u001b|033|e))\[[0-9;]{0,20}[a-z]
    | %(?:25){0,8}([0-9a-f]{2})
    | \\{1,8}(?:x([0-9a-f]{2})|U([0-9a-f]{8})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|([0-7]{3}))
    | &\#x([0-9a-f]{1,8});?
    | &\#([0-9]{1,9});?
    | &([a-z]{2,8});
    | \\{1,8}[abefnrtv0] | </?[a-z][^<>]{0,60}> | [^!-~]
    | \\{0,3}(.)
    """
_BASES = 0, 16, 16, 16, 16, 16, 8, 16, 10
"""The base of the number in each group of `_ENCODED_CHARACTER` that holds one."""
_ENTITY, _CHARACTER = 9, 10
_ENTITIES = {
    "amp": "&", "apos": "'", "colon": ":", "commat": "@", "equals": "=", "gt": ">", "lowbar": "_",
    "lt": "<", "num": "#", "plus": "+", "quest": "?", "quot": '"', "sol": "/",
}  # fmt: skip

_ENCODED = r"[%&\\<\x1b]"
"""The first character of a token that has several."""

_GAP = r"[^!-~]+"


@functools.cache
def _tokens() -> re.Pattern[str]:
    # Compiled at the first use, because an import would take longer.
    return re.compile(_ENCODED_CHARACTER, re.IGNORECASE | re.VERBOSE | re.DOTALL)


def forms_of_key(key: str) -> frozenset[str]:
    """Return the texts that stand for `key`, in lower case: the key, its hexadecimal digits, its base64."""
    decoded, _ = _decode(key)
    forms = {decoded, key.replace(" ", ""), key.replace(" ", "+"), *_base64_forms(key)}
    return frozenset(form.lower() for form in forms if form)


def remove_key(text: str, forms: frozenset[str]) -> str:
    """Return `text` with `[key]` in place of everything that stands for a key of these forms."""
    if len(text) < min(map(len, forms)):
        return text
    if not re.search(_ENCODED, text) and not _occurrences(re.sub(_GAP, "", text).lower(), forms):
        return text
    decoded, spans = _decode(text)
    kept: list[str] = []
    position = 0
    for first, last in _occurrences(decoded.lower(), forms):
        kept += [text[position : spans[first][0]], REMOVED_KEY]
        position = spans[last - 1][1]
    return "".join(kept) + text[position:]


def _decode(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the characters that the tokens of `text` stand for, and where in `text` each token is."""
    tokens = [
        (character, token.span()) for token in _tokens().finditer(text) if (character := _character(token))
    ]
    return "".join(character for character, _ in tokens), [span for _, span in tokens]


def _character(token: re.Match[str]) -> str:
    group = token.lastindex
    if group is None:
        return ""
    if group == _CHARACTER:
        return token[group]
    if group == _ENTITY:
        return _ENTITIES.get(token[group].lower(), "")
    code = int(token[group], _BASES[group])
    return chr(code) if ord("!") <= code <= ord("~") else ""


def _occurrences(text: str, forms: frozenset[str]) -> list[tuple[int, int]]:
    """Return where the forms are in `text`, in order; overlapping ones are merged."""
    found: list[tuple[int, int]] = []
    for form in forms:
        start = text.find(form)
        while start >= 0:
            found.append((start, start + len(form)))
            start = text.find(form, start + 1)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _base64_forms(key: str) -> list[str]:
    """Return the text that depends on the key alone, in hexadecimal and for each alignment of base64."""
    if len(key) < MIN_BASE64_KEY:
        return []
    data = key.encode(errors="replace")
    forms = [data.hex()]
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data).decode()
        form = encoded[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        forms += [form, form.replace("+", "-").replace("/", "_")]
    return forms
