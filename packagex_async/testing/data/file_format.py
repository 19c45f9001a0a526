"""The format of generated files: the shape of JSON, line breaks, and an error in the last row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import attrs

_LATIN_1_TEXT = "Zoë"


@attrs.frozen(kw_only=True)
class FileFormat:
    """The format of the generated files of an export.

    Attributes:
        json: The shape of the JSON file. `"array"`: an array of records. `"envelope"`: an object with the
            array in its field `data`, between other fields. `"lines"`: a record on each line. `"record"`:
            only the first record.
        indent: The indentation of JSON, or `None` for the shortest form. Lines are never indented.
        line_break: The end of each line of a CSV file, and of JSON lines: `"\\r\\n"`, `"\\n"` or `"\\r"`. A
            line break inside a cell is always `"\\n"`.
        byte_order_mark: Whether files start with a byte order mark.
        malformed: The error in the last row, or `None`. `"ragged"`: the row has one cell less than the
            header. `"unclosed_quote"`: the last cell starts with a quote that is not closed.
            `"doubled_comma"`: two commas are before the row. `"latin_1"`: the row contains a letter that is
            not encoded in UTF-8. `"truncated"`: the file ends in the middle of the row. The first two apply
            to CSV files, the third to arrays in JSON, and the others to all files.
    """

    json: Literal["array", "envelope", "lines", "record"] = "array"
    indent: int | None = 1
    line_break: Literal["\r\n", "\n", "\r"] = "\r\n"
    byte_order_mark: bool = False
    malformed: Literal["ragged", "unclosed_quote", "doubled_comma", "latin_1", "truncated"] | None = None

    def write_csv(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
        """Return a CSV file with these rows."""
        lines = _Lines(self.line_break)
        writer = csv.writer(lines)
        writer.writerow(header)
        row: Sequence[Any] | None = None
        for row in rows:
            writer.writerow(row)
        last = lines.texts.pop().encode()
        if row is not None and self.malformed in ("ragged", "unclosed_quote", "latin_1", "truncated"):
            last = self._malformed_line([str(cell) for cell in row])
        return self._encode("".join(lines.texts)) + last

    def write_json(self, records: Iterable[dict[str, Any]]) -> bytes:
        """Return a JSON file with these records."""
        indent = None if self.json == "lines" else self.indent
        separators = (",", ":") if indent is None else None
        items = [
            json.dumps(record, ensure_ascii=False, indent=indent, separators=separators) for record in records
        ]
        if self.json == "record":
            del items[1:]
        before, after = self._surroundings()
        separator = {"lines": self.line_break, "array": ",", "envelope": ","}.get(self.json, "")
        if not items:
            return self._encode(before + after)
        if self.json == "array" and indent is not None:
            # `json.dumps` indents a whole array in this way.
            margin = "\n" + " " * indent
            items = [margin + item.replace("\n", margin) for item in items]
            after = f"\n{after}"
        *first, last = items
        start = before + "".join(item + separator for item in first)
        if self.malformed == "truncated":
            return self._encode(start + last[: len(last) // 2])
        if self.malformed == "doubled_comma" and separator == ",":
            start += separator
        if self.malformed == "latin_1":
            record = {**json.loads(last), "name": _LATIN_1_TEXT}
            return self._encode(start) + f"{json.dumps(record, ensure_ascii=False)}{after}".encode("latin-1")
        return self._encode(start + last + after)

    def _surroundings(self) -> tuple[str, str]:
        """Return the text before the first record and after the last one."""
        if self.json == "array":
            return "[", "]"
        if self.json == "envelope":
            return '{"object":"list","data":[', '],"has_more":false}'
        return "", self.line_break if self.json == "lines" else ""

    def _malformed_line(self, cells: list[str]) -> bytes:
        """Return the last line of a CSV file, with an error."""
        lines = _Lines(self.line_break)
        last = {"ragged": [], "latin_1": [_LATIN_1_TEXT]}.get(self.malformed or "", cells[-1:])
        csv.writer(lines).writerow([*cells[:-1], *last])
        (line,) = lines.texts
        if self.malformed == "unclosed_quote":
            line = line.replace(f",{cells[-1]}{self.line_break}", f',"{cells[-1]}{self.line_break}')
        if self.malformed == "truncated":
            line = line[: len(line) // 2]
        return line.encode("latin-1" if self.malformed == "latin_1" else "utf-8", "replace")

    def _encode(self, text: str) -> bytes:
        return text.encode("utf-8-sig" if self.byte_order_mark else "utf-8")


class _Lines:
    """Collects the lines of a `csv.writer` with another line break, which does not change the quotes."""

    def __init__(self, line_break: str) -> None:
        self.texts: list[str] = []
        self._line_break = line_break

    def write(self, line: str) -> None:
        """Add a line, and replace its line break."""
        self.texts.append(line.removesuffix("\r\n") + self._line_break)
