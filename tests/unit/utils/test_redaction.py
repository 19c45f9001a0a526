"""Text contains no secrets, no control characters and no line breaks."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import string
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._utils.redaction import Secret, redact, redact_json, sanitize

# Random text below contains no capital letters, so finding this text means a leak.
CANARY = "CANARYSIGNATURE"
REMOVED = "[redacted]"
ANY_TEXT = st.text(st.characters(codec=None, exclude_characters=string.ascii_uppercase), max_size=40)
TRICKY = st.text(st.sampled_from("'\"<>()[]{} \n\r\t\\/:@&=;,|^`%~\0\x1b\u2028\u202e\ud800.-aé"), max_size=12)
TEXT = ANY_TEXT | TRICKY


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see https://h.example/a?sig=1&x=2 now", f"see https://h.example/a?{REMOVED}"),
        ("HTTPS://H.example/a#sig", f"HTTPS://H.example/a?{REMOVED}"),
        ("'http://h.example/a?sig'", f"'http://h.example/a?{REMOVED}"),
        ("https://user:pass@h.example/a", "https://h.example/a"),
        ("https://user@h.example/?q", f"https://h.example/?{REMOVED}"),
        ("https://a@h.example/x then https://b@h.example/y", "https://h.example/x then https://h.example/y"),
        ("https://h.example/a", "https://h.example/a"),
        ("https://h.example/@scope/a", "https://h.example/@scope/a"),
        (
            'https://h.example/it\'s a "file" <1>.csv?sig',
            f'https://h.example/it\'s a "file" <1>.csv?{REMOVED}',
        ),
        ("//h.example/a?sig", f"//h.example/a?{REMOVED}"),
        ("/bucket/key?X-Amz-Signature=1", f"/bucket/key?{REMOVED}"),
        (r"https:\/\/h.example\/a?sig", rf"https:\/\/h.example\/a?{REMOVED}"),
        ("https%3A%2F%2Fh.example%2Fa%3Fsig", f"https%3A%2F%2Fh.example%2Fa?{REMOVED}"),
        ("Signature=1&x", f"Signature={REMOVED}"),
        ("http://user:12/3?4#5 @6@h.example:80/a", "http://" + REMOVED),
        ("no address at all?", "no address at all?"),
        ("Are you sure? Yes.", "Are you sure? Yes."),
        ("and/or? It is 5 # 6", "and/or? It is 5 # 6"),
        ("sent text/html (a login page?); try again", "sent text/html (a login page?); try again"),
        ("a/b (is it 'c?')", "a/b (is it 'c?')"),
        ("a (b@c.example): resource=contact", "a (b@c.example): resource=contact"),
    ],
)
def test_the_query_and_user_information_of_a_url_are_removed(text: str, clean: str) -> None:
    """The host and path are kept, and a second pass changes nothing."""
    assert redact(text) == clean
    assert redact(clean) == clean


def test_the_text_after_a_redacted_url_is_kept() -> None:
    """A message is composed of redacted parts, and then redacted again."""
    message = f"GET https://h.example/a?{REMOVED}: 503; trying again"
    assert redact(message) == message
    assert redact(f"{message}?sig={CANARY}") == f"{message}?{REMOVED}"


LOWER = CANARY.lower(), CANARY
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": lambda url: f"\"{url}\" and '{url}'",
    "json": lambda url: json.dumps({url: [url]}),
    "json with escaped slashes": lambda url: json.dumps(url).replace("/", r"\/"),
    "json in json": lambda url: json.dumps(json.dumps(url).replace("/", r"\/")),
    "repr": lambda url: repr([url.encode(errors="replace")]),
    "percent-encoded": lambda url: quote(url, safe="", errors="replace"),
    "percent-encoded twice": lambda url: quote(quote(url, safe="", errors="replace"), safe=""),
    "lower hexadecimal digits": lambda url: quote(url, safe="", errors="replace").lower().replace(*LOWER),
    "unicode-escaped": lambda url: (
        url.replace("/", r"\u002F").replace("?", r"\u003F").replace("#", r"\u0023")
    ),
    "html": lambda url: url.replace("/", "&sol;").replace("?", "&#63;").replace("#", "&#x23;"),
    "backslashes": lambda url: url.replace("://", ":\\\\"),
    "capitals": lambda url: url.replace("https", "HTTPS"),
    "another scheme": lambda url: url.replace("https", "s3+v4.x"),
    "no scheme": lambda url: url.removeprefix("https:"),
}  # fmt: skip


@given(
    before=TEXT,
    host=st.sampled_from(["h.example", "h.example:8443", "[::1]", "", "bücher.example"]),
    path=TEXT,
    delimiter=st.sampled_from("?#"),
    query=TEXT,
    after=TEXT,
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_no_signature_survives(
    before: str, host: str, path: str, delimiter: str, query: str, after: str, encoding: str
) -> None:
    """For all texts around and in the URL, and for all encodings of it."""
    text = before + ENCODINGS[encoding](f"https://{host}/{path}{delimiter}{query}{CANARY}{after}")
    assert CANARY not in redact(text)
    assert CANARY not in sanitize(text, limit=1000)
    assert CANARY not in repr(redact_json({text: {"a": [text, 1]}}))


@given(
    before=TEXT,
    user=TEXT,
    password=st.tuples(TEXT, TEXT),
    after=TEXT,
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_no_password_survives(
    before: str, user: str, password: tuple[str, str], after: str, encoding: str
) -> None:
    """It may contain any character, also those that end an authority. The user name contains none of them."""
    user = "".join(char for char in user if char not in "/?#\\" and not char.isspace())
    url = f"https://{user}:{password[0]}{CANARY}{password[1]}@proxy.example:8080/{after}"
    text = before + ENCODINGS[encoding](url)
    assert CANARY not in redact(text)
    assert CANARY not in sanitize(text, limit=1000)


@pytest.mark.parametrize(
    "text",
    [
        "sig={}", "X-Amz-Signature = {}", "x-goog-signature%3D{}", "token={}", "security_token={}",
        "AWSAccessKeyId={}", "AccessKey={}", "&Signature%253D{}", '{{"X-Amz-Signature": "{}"}}',
        "{{'Signature': '{}'}}", r"{{\"sig\": \"{}\"}}", "x-amz-security-token: {}", "Authorization: AWS4 {}",
        "<SignatureProvided>{}</SignatureProvided>", "PX-API-KEY: {}", "a=1;sig&#61;{}",
        "/bucket/a key?{}", "/bucket/key%3F{}", "file.csv?x={}", "#access={}", "b/c?\"'<>{}",
    ],
)  # fmt: skip
def test_no_named_secret_survives(text: str) -> None:
    """Parameters and headers are found without a URL, too."""
    assert CANARY not in redact(text.format(CANARY))
    assert CANARY not in redact(f"see: {text.format(CANARY)}\n")


@pytest.mark.parametrize("name", ["X-Amz-Signature", "sig", "Signature", "token", "awsAccessKeyId"])
def test_a_field_with_the_name_of_a_secret_is_redacted(name: str) -> None:
    """Fields of a JSON value are recognized by their names."""
    assert redact_json({"a": {name: CANARY}, "signed": "x", "b": {name: [1]}}) == {
        "a": {name: REMOVED},
        "signed": "x",
        "b": {name: [1]},
    }


def test_every_string_of_a_json_value_is_redacted() -> None:
    """Also the names of fields. Other values do not change."""
    url = "https://h.example/a?sig"
    clean = f"https://h.example/a?{REMOVED}"
    assert redact_json({"a": [url, 1, None], url: {"c": (url,)}, 3: True}) == {
        "a": [clean, 1, None],
        clean: {"c": [clean]},
        3: True,
    }
    assert redact_json(["x"], str.upper) == ["X"]


def test_a_json_value_is_limited_in_depth_and_size() -> None:
    """Values beyond the limits are left out, in lists and in mappings."""
    deep: Any = CANARY
    for _ in range(700):
        deep = [{"x": deep}]
    assert "[omitted]" in repr(redact_json(deep))
    assert CANARY not in repr(redact_json(deep))
    assert sanitize(deep).startswith("[{'x': [{'x': ")
    assert len(redact_json(list(range(20_000)))) == len(redact_json(dict.fromkeys(range(20_000)))) == 5_000
    assert sum(map(len, redact_json([[1] * 4_000] * 4_000))) < 5_000
    assert sum(map(len, redact_json([dict.fromkeys(range(4_000))] * 4_000))) < 5_000


@given(st.text(st.characters(codec=None)))
def test_sanitized_text_is_printable(text: str) -> None:
    """It has no control or format character, line break or surrogate. A second pass changes nothing."""
    clean = sanitize(text)
    assert not {unicodedata.category(char) for char in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(clean) <= 300
    assert sanitize(clean) == clean


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("\x1b]0;owned\x07[red]", r"\x1b]0;owned\x07[red]"),
        ("a\r\nb\u2028c\u2029d\x85", r"a\r\nb\u2028c\u2029d\x85"),
        ("\u202eabc\u2066\u200b\ufeff\x7f\x9b", r"\u202eabc\u2066\u200b\ufeff\x7f\x9b"),
        ("\ud800", r"\ud800"),
        ("Käufer 買い手", "Käufer 買い手"),
        (None, "None"),
        (12, "12"),
        (["a", {"b": "https://h.example/a?sig"}], "['a', {'b': 'https://h.example/a?[redacted]"),
        pytest.param(10**5000, "<int>", id="a large integer"),
        pytest.param([10**5000], "<list>", id="a large integer in a list"),
        ("x" * 301, "x" * 297 + "..."),
        ("\0" * 100, r"\x00" * 74 + r"\..."),
    ],
)
def test_sanitized_text_is_one_short_line(value: object, clean: str) -> None:
    """For values of any type."""
    assert sanitize(value) == clean


def test_the_work_is_bounded_by_the_limit() -> None:
    """Only the start of a large text is processed, in linear time."""
    for unit in ("a", "/", "?", "//", "%25", "\\", "%3F", "x-amz-", "@", "://a@", "&#", "? "):
        huge = unit * (64 * 1024 * 1024 // len(unit))
        assert len(sanitize(huge)) <= 300
        redact(huge[:500_000])


KEY = "px_live_'Canary+key/1\""


@pytest.mark.parametrize(
    "encoded",
    [
        KEY, KEY.upper(), repr(KEY), json.dumps(KEY), json.dumps(json.dumps(KEY)), quote(KEY, safe=""),
        quote(quote(KEY, safe=""), safe=""), quote(KEY, safe="").lower(),
        "".join(f"%{ord(c):02x}" for c in KEY),
        "".join(f"\\u{ord(c):04X}" for c in KEY), KEY.replace("'", "&#39;").replace("/", "&sol;"),
        base64.b64encode(KEY.encode()).decode(), base64.b64encode(f"u:{KEY}@".encode()).decode(),
        base64.b64encode(f"user:{KEY}@".encode()).decode(),
        base64.urlsafe_b64encode(f"1{KEY}".encode()).decode(),
    ],
)  # fmt: skip
def test_a_key_is_redacted_in_every_encoding(encoded: str) -> None:
    """Percent-encoded, escaped for JSON, Python or HTML, in another case, or in base64."""
    redacted = Secret(KEY).redact(f"the key {encoded} is unknown")
    assert redacted.startswith("the key ")
    assert redacted.endswith(" is unknown")
    assert "[key]" in redacted
    assert len(redacted) < 40
    assert "[key]" in sanitize(encoded, key=Secret(KEY))


def test_trap_09_only_reveal_returns_the_key() -> None:
    """A repr does not show it, and it cannot be copied or pickled."""
    key = Secret("px_CANARY")
    assert key.reveal() == "px_CANARY"
    assert "CANARY" not in f"{key} {key!r}"
    assert key.redact("key px_CANARY is unknown") == "key [key] is unknown"
    assert Secret("a key").redact("a+key a%20key a key") == "[key] [key] [key]"
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(key)
