"""JSON files in all shapes, and their records."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

_TEXTS = ("", "},{", '},{"id":', "[]", "\\", '"', "\n", "é", "😀", "\ud800", "\N{LINE SEPARATOR}")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from(_TEXTS)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "x"]), inner),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["id", "name", "", "é"]), _VALUES), max_size=8)
_SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])
_LAST_FIELDS = st.sampled_from([{}, {"m": "]"}])
_STARTS = st.sampled_from(["", "\ufeff", " \n"])
_ENDS = st.sampled_from(["", "\n", " \r\n "])
_LINE_BREAKS = st.sampled_from(["\n", "\r\n", "\n\n", " \n\t"])


class JsonFile(NamedTuple):
    """A JSON file and its records."""

    content: bytes
    records: list[Any]


@st.composite
def json_files(draw: st.DrawFn) -> JsonFile:
    """Generate files in every shape."""
    records: list[Any] = draw(RECORDS)
    shape = draw(st.sampled_from(["array", "envelope", "lines", "object"]))
    if shape == "array":
        records += draw(st.lists(_VALUES, max_size=2))
        values: list[Any] = [records]
    elif shape == "envelope":
        values = [draw(st.sampled_from([{}, {"n": [1]}])) | {"data": records} | draw(_LAST_FIELDS)]
    else:
        values = records = records[: 1 if shape == "object" else None]
    separators, indent = draw(_SEPARATORS), draw(st.sampled_from([None, 0, 2]))
    # A lone surrogate has no encoding.
    escaped = "ud800" in repr(values) or draw(st.booleans())
    documents = [
        json.dumps(value, separators=separators, indent=indent, ensure_ascii=escaped) for value in values
    ]
    text = draw(_STARTS) + draw(_LINE_BREAKS).join(documents) + draw(_ENDS)
    return JsonFile(text.encode(), records)
