"""Secrets in URLs are found in every encoding."""

from __future__ import annotations

import re

import pytest

from packagex_async._utils.url_secrets import encoded_forms, is_secret_name, remove_url_secrets


@pytest.mark.parametrize(
    "text", ["?", "%3F", "%3f", "%253F", "%25253f", r"\u003f", r"\x3F", "&quest;", "&#63;", "&#x3f;"]
)
def test_all_encodings_of_a_character_are_matched(text: str) -> None:
    """Percent-encoded, escaped for JSON or Python, or as an HTML entity."""
    pattern = re.compile(encoded_forms("?"), re.IGNORECASE)
    assert pattern.fullmatch(text)
    assert not pattern.search("%3E &num; \\u003e !")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pw@h.example/a?sig=1#top end", "https://h.example/a?[redacted]"),
        ("https%3A%2F%2Fh.example%2Fa%3Fsig%3D1", "https%3A%2F%2Fh.example%2Fa?[redacted]"),
        ("the file a.csv, and 2 more (of 3)", "the file a.csv, and 2 more (of 3)"),
        ("Is it there? Yes.", "Is it there? Yes."),
    ],
)
def test_the_secrets_of_a_url_are_removed(text: str, expected: str) -> None:
    """Text without a URL does not change."""
    assert remove_url_secrets(text) == expected


@pytest.mark.parametrize(
    "name", ["X-Amz-Signature", "sig", "token", "api_key", "PASSWORD", "x-goog-signature"]
)
def test_names_of_secrets_are_recognized(name: str) -> None:
    """In any case of the letters, also at the end of a longer name."""
    assert is_secret_name(name)
    assert is_secret_name(f"my-{name}")
    assert not is_secret_name(f"{name} of the file")
