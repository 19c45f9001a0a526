"""The grammar of CSV as `csv.reader(strict=True)` reads it, as regular expressions for bytes.

A record is a sequence of fields, separated by commas, that ends with a line break. A field that begins with a
quote ends with a quote, and contains quotes only in pairs. In any other field, a quote is an ordinary
character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_QUOTED = rb'"(?:[^"]*+"")*+[^"]*+"(?=[,\r\n])'
_UNQUOTED = rb'(?:[^",\r\n][^,\r\n]*+)?+'
_FIELD = rb"(?:%s|%s)" % (_QUOTED, _UNQUOTED)
_LINE_BREAK = rb"(?:\r\n|\r|\n)"

_RECORD = re.compile(rb"(?:%s,)*+%s%s" % (_FIELD, _FIELD, _LINE_BREAK))
_RECORDS = re.compile(rb"(?:(?:%s,)*+%s%s)*+" % (_FIELD, _FIELD, _LINE_BREAK))
_INCOMPLETE_RECORD = re.compile(rb'(?:%s,)*+(?:"(?:[^"]*+"")*+[^"]*+"?+|%s)\Z' % (_FIELD, _UNQUOTED))
_FIELDS = re.compile(rb"(%s)(?:,|%s)" % (_FIELD, _LINE_BREAK))


def complete_size(data: bytes) -> int | None:
    """Return the number of bytes of the complete records at the start of `data`.

    Returns:
        The size, or `None` if the first record is malformed.
    """
    match = _RECORDS.match(data)
    size = match.end() if match else 0
    return size if size or _INCOMPLETE_RECORD.match(data) else None


def split_records(data: bytes, position: int = 0) -> Iterator[tuple[list[bytes], int]]:
    """Yield the fields of each record, without quotes, and its end. Blank lines are skipped.

    The iteration ends before the first record that is malformed or incomplete.
    """
    while match := _RECORD.match(data, position):
        position = match.end()
        if data[match.start()] not in b"\r\n":
            yield [_unquote(field) for field in _FIELDS.findall(match[0])], position


def _unquote(field: bytes) -> bytes:
    return field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field
