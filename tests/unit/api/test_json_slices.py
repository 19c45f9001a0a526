"""Large JSON documents are decoded in slices, with the same result as the standard library."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._api import json_slices
from packagex_async._api.json_slices import LARGE, MAX_TEXT, TooLargeError, loads_in_slices
from packagex_async._utils.aio import run_in_slices

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("x" * 100),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=40,
)


@pytest.fixture(autouse=True, scope="module")
def _small_window() -> Any:
    """Make the window smaller than most values, so that its boundaries fall everywhere."""
    patch = pytest.MonkeyPatch()
    patch.setattr(json_slices, "LARGE", 40)
    patch.setattr(json_slices, "_READ_SIZE", 7)
    patch.setattr(json_slices, "_ITEMS_PER_SLICE", 3)
    yield
    patch.undo()


def decoded(body: bytes) -> tuple[Any, int]:
    """Return the decoded value of `body`, and the number of slices."""
    slices, count = loads_in_slices(body), 1
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value, count
        count += 1


def outcome(body: bytes) -> str:
    try:
        return repr(decoded(body)[0])
    except ValueError:
        return "not JSON"


def expected(body: bytes) -> str:
    try:
        return repr(json.loads(body.decode("utf-8-sig")))
    except ValueError:
        return "not JSON"


@given(
    JSON,
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]),
)
def test_result_is_equal_to_that_of_the_standard_library(
    value: Any, ascii_only: bool, indent: int | None, separators: tuple[str, str]
) -> None:
    """For any value, indentation, separators and escapes."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    body = text.encode(errors="surrogatepass")
    assert outcome(body) == expected(body)


@given(JSON, st.data())
def test_damaged_document_is_refused_like_in_the_standard_library(value: Any, data: st.DataObject) -> None:
    """One byte is changed, and the end may be missing."""
    body = bytearray(json.dumps([value, {"data": value}], ensure_ascii=False).encode(errors="replace"))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from(b'[]{}",:0e.-x\\ \xff'))
    body = body[: data.draw(st.integers(0, len(body)))]
    assert outcome(bytes(body)) == expected(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" " * 100,
        b"\xef\xbb\xbf[1]",
        b"\xef\xbb\xbf\xef\xbb\xbf[1]",
        b"[" + b"1, " * 50 + b"]",
        b"[" + b"1 " * 50 + b"]",
        b'{"a": ' + b"[" * 3 + b"1," * 40 + b"2" + b"]" * 3 + b"}",
        b'{"a": 1, "a": ' + b"[0," * 1 + b"1," * 40 + b'2], "b": {}}',
        b'{"a" "' + b"x" * 100 + b'"}',
        b"{1: " + b'"x"' * 40 + b"}",
        b"[" + b"tru, " * 20 + b"]",
        b"[" + b"x" * 100 + b"]",
        b"[1" + b" " * 100 + b"]",
        b"[1e" + b"+" + b"5" * 3 + b", " + b"9" * 100 + b"]",
        b"[] []",
        b"[" + b" " * 100 + b"]",
        b'{"a": {' + b" " * 100 + b"}, " + b'"b": [' + b" " * 100 + b"]}",
        b"[[" + b"0," * 40 + b"0]" + b" " * 60 + b"{}]",
        b'{"' + b"x" * 100 + b'": {"' + b"y" * 100 + b'": [' + b"[]," * 30 + b"{}]}}",
        b"[" * 60 + b"]" * 60,
        b'["' + "\u00fc\U0001f600".encode() * 50 + b'"]',
        b'["' + b"\\n" * 100 + b'\\ud83d\\ude00"]',
        b"{" + b'"a": {}, ' * 40 + b'"b": {}}',
        b"[{}, " + b" " * 60 + b"{}" + b" " * 60 + b"]",
        b"[" + b"{}" + b" " * 60,
    ],
)
def test_window_boundary_may_fall_anywhere(body: bytes) -> None:
    """Inside a value, between values, or in white space."""
    assert outcome(body) == expected(body)


def test_deeply_nested_document_is_a_recursion_error() -> None:
    """Whether it fits into the window or not."""
    for body in (b"[" * 100_000, b"[1," * 100_000):
        with pytest.raises(RecursionError):
            decoded(body)


def test_large_array_takes_many_slices() -> None:
    """Each slice decodes only a few items, or the text in the window."""
    value = {"data": [{"id": f"exp_{number}"} for number in range(300)]}
    result, count = decoded(json.dumps(value).encode())
    assert result == value
    assert count >= 100


async def test_other_tasks_run_between_slices() -> None:
    """At least once per slice."""
    body = json.dumps(list(range(3000))).encode()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count_turns())
    assert await run_in_slices(loads_in_slices(body)) == list(range(3000))
    counter.cancel()
    assert turns >= 500


def test_integer_with_too_many_digits_is_a_float() -> None:
    """The rest of the document is decoded."""
    assert decoded(b"[1, -%b, 2]" % (b"9" * 5000))[0] == [1, -math.inf, 2]


def test_items_and_strings_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each array, object and string. A document at the limit is decoded."""
    monkeypatch.setattr(json_slices, "MAX_ITEMS", 20)
    monkeypatch.setattr(json_slices, "MAX_TEXT", 300)
    names = ", ".join(f'"{number}": {number}' for number in range(20))
    assert len(decoded(b"[" + b"10, " * 19 + b"10]")[0]) == 20
    assert len(decoded(f"{{{names}}}".encode())[0]) == 20
    assert len(decoded(b'["%b"]' % (b"x" * 290))[0][0]) == 290
    for body in (
        b"[" + b"10, " * 20 + b"10]",
        b'{"data": [' + b"10, " * 20 + b"10]}",
        f'{{{names}, "20": 20}}'.encode(),
        b'["%b"]' % (b"x" * 1000),
    ):
        with pytest.raises(TooLargeError):
            decoded(body)


def test_page_of_300_000_exports_is_decoded() -> None:
    """With the real window, in many slices."""
    patch = pytest.MonkeyPatch()
    with patch.context() as unpatched:
        unpatched.setattr(json_slices, "LARGE", LARGE)
        unpatched.setattr(json_slices, "_READ_SIZE", 64 * 1024)
        unpatched.setattr(json_slices, "_ITEMS_PER_SLICE", 1000)
        value = [{"id": f"x{number}"} for number in range(300_000)]
        result, count = decoded(json.dumps(value).encode())
    assert result == value
    assert count >= 300
    assert (LARGE, MAX_TEXT) == (256 * 1024, 16 * 1024 * 1024)
