"""No secret leaves as text."""

from __future__ import annotations

import copy
import pickle

import pytest

from packagex_async._redact import Secret, redact, redact_json


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see https://h.example/a?sig=1&x=2 now", "see https://h.example/a?[redacted] now"),
        ("HTTPS://H.example/a#sig", "HTTPS://H.example/a?[redacted]"),
        ("'http://h.example/a?sig'", "'http://h.example/a?[redacted]'"),
        ("https://user:pass@h.example/a", "https://h.example/a"),
        ("https://user@h.example/?q", "https://h.example/?[redacted]"),
        ("https://h.example/a", "https://h.example/a"),
        ("no address at all?", "no address at all?"),
    ],
)
def test_the_query_and_user_of_a_url_are_cut(text: str, clean: str) -> None:
    """What is left says which host and path it was."""
    assert redact(text) == clean


def test_every_string_of_a_json_value_is_cleaned() -> None:
    """However deep it lies; what is no string stays."""
    url = "https://h.example/a?sig"
    assert redact_json({"a": [url, 1, None], "b": {"c": (url,)}}) == {
        "a": ["https://h.example/a?[redacted]", 1, None],
        "b": {"c": ["https://h.example/a?[redacted]"]},
    }
    assert redact_json(["x"], str.upper) == ["X"]


def test_trap_09_a_key_is_read_only_on_purpose() -> None:
    """No repr, copy or pickle shows it; a message that has it loses it."""
    key = Secret("px_CANARY")
    assert key.reveal() == "px_CANARY"
    assert "CANARY" not in f"{key} {key!r}"
    assert key.strike("key px_CANARY is unknown") == "key [key] is unknown"
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            leak(key)
