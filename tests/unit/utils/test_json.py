"""JSON is parsed to the same values with and without orjson."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async._api.responses import ApiResponse, parse_page
from packagex_async._utils import json as json_module


@pytest.fixture(autouse=True)
def _clear_cache() -> Iterator[None]:
    json_module.orjson_loads.cache_clear()
    yield
    json_module.orjson_loads.cache_clear()


@pytest.fixture(params=["with orjson", "without orjson"])
def _with_and_without_orjson(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without orjson":
        monkeypatch.setitem(sys.modules, "orjson", None)


def outcomes(body: bytes) -> tuple[str, str]:
    """Return the outcomes of this package and of the standard library."""
    return _outcome(lambda: json_module.loads(body)), _outcome(lambda: json.loads(body.decode("utf-8-sig")))


def _outcome(read: Any) -> str:
    try:
        return repr(read())
    except (ValueError, RecursionError) as error:
        return "not JSON" if isinstance(error, ValueError) else "nested too deeply"


BODIES = {
    "duplicate keys": b'{"a": 1, "b": 2, "a": 3}',
    "not a number": b"[NaN, Infinity, -Infinity]",
    "larger than a float": b"[1e400, -1e400]",
    "63 bits": b"[9223372036854775807, -9223372036854775808]",
    "64 bits": b"[18446744073709551615]",
    "65 bits after a short text": b'["a", 18446744073709551616]',
    "65 bits after digits": b'["1234567890123456789", "12345678901234567890", 18446744073709551617 ]',
    "65 bits at each place": b"[" + b",".join(b" " * n + b"18446744073709551617" for n in range(9)) + b"]",
    "negative, 65 bits, after a space": b'{"a": -9223372036854775809}',
    "many digits in a string": b'["' + b"1" * 500 + b'"]',
    "65 bits": b'{"data": [{"id": "exp_1", "serial": [18446744073709551617]}]}',
    "negative, 65 bits": b"-9223372036854775809",
    "fractions": b"[0.1, 1e16, 1E-400, 5e-324, 123456789.123456789, 1e19, -0, -0.0]",
    "lone surrogate": b'"\\ud800"',
    "lone surrogate as a key": b'{"\\udfff": 1}',
    "surrogate pair": b'"\\ud83d\\ude00"',
    "escaped null": b'"\\u0000"',
    "null byte": b'"\x00"',
    "tab in a string": b'"\t"',
    "delete in a string": b'"\x7f"',
    "byte order mark": b'\xef\xbb\xbf{"id": "exp_1"}',
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "UTF-16": '{"id": "exp_1"}'.encode("utf-16"),
    "invalid UTF-8": b'"\xff"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "empty": b"",
    "space": b" ",
    "space around": b"\r\n\t {} \n",
    "other space around": b"\x0b{}",
    "text after the end": b"{} {}",
    "trailing comma": b"[1,]",
    "a leading zero": b"01",
    "a plus": b"+1",
    "incomplete numbers": b"[1., .5]",
    "a comment": b"{} // done",
    "single quotes": b"{'a': 1}",
    "nested": b"[" * 200 + b"]" * 200,
    "nested too deeply for the check of floats": b"[" * 600 + b"1" + b"]" * 600,
    "nested too deeply": b"[" * 100_000,
}


@pytest.mark.usefixtures("_with_and_without_orjson")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_unusual_json_is_parsed_like_the_standard_library(body: bytes) -> None:
    """All digits are kept, and the same texts are errors."""
    ours, standard = outcomes(body)
    assert ours == standard


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**66) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_all_values_are_parsed_like_the_standard_library(value: Any, ascii_only: bool) -> None:
    """Numbers of any size, and text in any script."""
    ours, standard = outcomes(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))
    assert ours == standard


@given(JSON, st.data())
def test_damaged_json_is_parsed_like_the_standard_library(value: Any, data: st.DataObject) -> None:
    """With a changed byte, or truncated."""
    body = bytearray(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    ours, standard = outcomes(bytes(body[: data.draw(st.integers(0, len(body)))]))
    assert ours == standard


@pytest.mark.usefixtures("_with_and_without_orjson")
def test_large_integers_of_the_api_are_exact() -> None:
    """In known and in unknown fields."""
    body = b'[{"id": "exp_1", "count_total": 18446744073709551617, "serial": {"no": 36893488147419103233}}]'
    (export,) = parse_page(ApiResponse.decode("GET /x", 200, CIMultiDict(), body)).load()
    assert export.count_total == 2**64 + 1
    assert export.extra == {"serial": {"no": 2**65 + 1}}


@pytest.mark.usefixtures("_with_and_without_orjson")
def test_an_integer_with_too_many_digits_is_a_float() -> None:
    """The standard library would reject the whole document."""
    assert json_module.loads(b'[{"n": -%b}, 7]' % (b"1" * 5000)) == [{"n": -math.inf}, 7]
    with pytest.raises(ValueError, match="Expecting"):
        json_module.loads(b"[%b" % (b"1" * 5000))


def test_orjson_is_used_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is returned."""
    monkeypatch.setitem(sys.modules, "orjson", SimpleNamespace(loads=lambda body: [len(body)]))
    assert json_module.loads(b"{}") == [2]
