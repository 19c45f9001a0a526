"""An API key is found in any text, whatever its encoding, and whatever splits it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from packagex_async._utils.key_redaction import forms_of_key, remove_key
from packagex_async._utils.redaction import Secret, redact, redact_json, sanitize

KEY = "px_live_Canary+key/1zZ"
HALF = len(KEY) // 2

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "percent-encoded": lambda key: quote(key, safe=""),
    "percent-encoded three times": lambda key: quote(quote(quote(key, safe=""), safe=""), safe=""),
    "HTML, decimal": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML, decimal with zeros": lambda key: "".join(f"&#{ord(char):05};" for char in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(char):04X};" for char in key),
    "HTML, without semicolons": lambda key: "".join(f"&#{ord(char)}" for char in key),
    "HTML, by name": lambda key: key.replace("/", "&sol;").replace("+", "&plus;").replace("_", "&lowbar;"),
    "JSON": lambda key: json.dumps(json.dumps(key).replace("/", r"\/")),
    "four digits": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "eight digits": lambda key: "".join(f"\\U{ord(char):08x}" for char in key),
    "braces": lambda key: "".join(f"\\u{{{ord(char):x}}}" for char in key),
    "octal": lambda key: "".join(f"\\{ord(char):03o}" for char in key),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal dump": lambda key: key.encode().hex(" ", 2),
    "base64 of a login": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 in lines": lambda key: base64.encodebytes(f"{'x' * 40}{key}{'y' * 40}".encode()).decode(),
    "base64 in a URL": lambda key: quote(base64.b64encode(f"{key}?".encode()).decode(), safe=""),
}

GAPS = [
    "\n", "\r\n    ", "\\n", "\\r\\n", "\0", "\x1b[0m", "\u200b", "\u00ad", "\ufeff", "\u2028", "\ud800", "é",
    "\\u200b", "\\x00", "%0A", "%250d%250a", "%20", "%E2%80%8B", "&#10;", "&#x200B;", "&shy;",
    "\\x1b[1;31m", "&nbsp;",    "<wbr>", "<br/>", "</b><b class='x'>", " ",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_is_removed_in_every_encoding(spelling: str) -> None:
    """The rest of it does not reveal the key."""
    shown = remove_key(f"the key {SPELLINGS[spelling](KEY)} is unknown", forms_of_key(KEY))
    assert shown.count("[key]") == 1
    assert "Canary" not in shown
    assert shown.startswith("the key ")
    assert shown.endswith(" is unknown")


@pytest.mark.parametrize("gap", GAPS, ids=ascii)
def test_a_key_is_removed_though_something_splits_it(gap: str) -> None:
    """White space, an invisible character or a tag, raw or encoded, once or between all characters."""
    for split in (KEY[:HALF] + gap + KEY[HALF:], gap.join(KEY)):
        assert remove_key(f"({split})", forms_of_key(KEY)) == "([key])"
        key = Secret(KEY)
        for shown in (sanitize(f"a{split}b"), sanitize(split, key=key)):
            assert "[key]" in shown
            assert KEY[:HALF] not in shown
            assert KEY[HALF:] not in shown


@pytest.mark.parametrize(
    "key", ["a key of words", "px_%41_live", "px<b>live", "px&#65;live", r"px\nlive", "'p\"x"]
)
def test_a_key_with_unusual_characters_is_removed(key: str) -> None:
    """It may hold what looks like an encoded character."""
    for text in (key, quote(key), quote(key, safe=""), html.escape(key), key.replace(" ", "+")):
        assert remove_key(f"-{text}-", forms_of_key(key)) == "-[key]-"


def test_a_text_without_the_key_stays_as_it_is() -> None:
    """Encoded or not."""
    for text in ("", "px_live", "a%20b &amp; c\n<b>" * 10, KEY[1:], "x" * 100):
        assert remove_key(text, forms_of_key(KEY)) == text


def test_overlapping_forms_are_one() -> None:
    """A key may be the beginning of itself."""
    assert remove_key("ababab", frozenset({"aba", "bab"})) == "[key]"
    assert remove_key("aba.bab", frozenset({"aba", "bab"})) == "[key].[key]"


@pytest.mark.parametrize("limit", [50, 300, 1000])
@pytest.mark.parametrize("before", ["", "a", "a b c", "x" * 17])
def test_no_part_of_a_key_is_left_where_a_long_text_is_cut(before: str, limit: int) -> None:
    """The text is shorter without the keys, so that its cut end comes into sight."""
    key = Secret(KEY)
    for text in (KEY, f"{KEY} ", quote(KEY, safe=""), "".join(f"%{ord(char):02x}" for char in KEY)):
        for shown in (
            sanitize(before + text * 5000, limit=limit),
            sanitize(text * 5000, limit=limit, key=key),
        ):
            assert len(shown) <= limit
            assert "px_li" not in shown
            assert "%70" not in shown


def test_no_part_of_a_long_password_is_left_where_a_long_text_is_cut() -> None:
    """The @ that ends it may come later."""
    for scheme in ("https://", "", "https%3A%2F%2F"):
        text = f"proxy {scheme}//user:{'secret' * 10_000}@proxy.example:80/"
        assert "secret" not in sanitize(text)


def test_the_key_of_any_client_is_redacted_as_long_as_the_client_lives() -> None:
    """A server may send a key in any field; a short key may be a part of any word."""
    text = f"status {KEY}"
    keys = [Secret(KEY), Secret("px_another_key"), Secret("status")]
    assert redact(text) == sanitize(text) == "status [key]"
    assert redact_json({text: [text, 1], "px_another_key": None}) == {
        "status [key]": ["status [key]", 1],
        "[key]": None,
    }
    keys.clear()
    assert redact(text) == text
