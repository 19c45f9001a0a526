"""Decodes the blocks of a JSON file to records, exactly as the standard library decodes the whole file.

These files are accepted:

1. An array: each item is a record.
2. An object with the array `data`, and possibly other fields: each item of the array is a record.
3. Any other object: a record, possibly with more objects on the next lines.
4. White space, or nothing: no record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from packagex_async._decoders.json_cutter import ItemCutter, LineCutter
from packagex_async._decoders.json_text import INVALID, IncompleteJsonError, InvalidJsonError, JsonText
from packagex_async._decoders.remainder import Remainder
from packagex_async._decoders.row_error import NOT_UTF_8, RowError
from packagex_async._utils.json import loads, loads_with_number_texts

ENVELOPE_FIELD = "data"

AFTER_END = "there is data after the end of the JSON value"
NO_RECORDS = "the file is neither a JSON array nor a JSON object"
NOT_AN_OBJECT = "it is not a JSON object"
TWICE = f'the field "{ENVELOPE_FIELD}" occurs twice'

_BYTE_ORDER_MARK = "\ufeff"
_WHITESPACE = b" \t\r\n"


class JsonDecoder:
    """Decodes a JSON file, block by block.

    Args:
        number_texts: Decode numbers to `NumberText`, with all digits of the file.

    Attributes:
        count: The number of records so far.
        error: The error of the next record, or `None`. No record is decoded after it.
        duplicates: Empty, since JSON has no columns.
    """

    duplicates: tuple[str, ...] = ()

    def __init__(self, *, number_texts: bool = False) -> None:
        self.count: int = 0
        self.error: RowError | None = None
        self._remainder: Remainder[bytes] = Remainder(b"".join)
        self._step: Callable[[JsonText, list[Any]], None] = self._skip_byte_order_mark
        self._number_texts = number_texts
        decode = loads_with_number_texts if number_texts else loads
        self._items, self._lines = ItemCutter(decode), LineCutter(decode)
        self._record: dict[str, Any] = {}
        self._in_envelope = False
        # Whether an array or object may end here. It may not end after a comma.
        self._may_end = True
        # Whether there was a line break after the last record.
        self._at_line_start = False

    @property
    def pending(self) -> int:
        """The number of bytes that were received, but not decoded to records."""
        return self._remainder.size

    def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        """Return the records that `block` completes, up to the record of `error`.

        Args:
            block: The next bytes of the file.
            final: Whether the file ends with this block.
        """
        if self.error is not None:
            return []
        self._remainder.add(block)
        if not (final or self._remainder.is_due()):
            return []
        data = self._remainder.take()
        records, decoded = self._cut(data)
        if final or not decoded:
            data = data[decoded:]
            decoded = self._decode(data, records, final)
        self._remainder.put_back(data[decoded:], decoded=decoded > 0)
        return records

    def _cut(self, data: bytes) -> tuple[list[Any], int]:
        """Decode most of `data` in one call, if possible."""
        if self._step == self._decode_items:
            records, decoded = self._items.cut(data)
        elif self._step == self._decode_lines:
            records, decoded = self._lines.cut(data, at_line_start=self._at_line_start)
            self._at_line_start |= decoded > 0
        else:
            return [], 0
        self.count += len(records)
        return records, decoded

    def _decode(self, data: bytes, records: list[Any], final: bool) -> int:
        """Decode `data` value by value into `records`; return the number of decoded bytes."""
        text = JsonText(data, final=final, number_texts=self._number_texts)
        count = self.count - len(records)
        try:
            while True:
                self._step(text, records)
        except IncompleteJsonError:
            self.count = count + len(records)
            if not text.is_utf8:
                self._set_error(NOT_UTF_8)
            elif final and (self._is_in_value or data[text.decoded :].strip(_WHITESPACE)):
                self._set_error(INVALID)
        except InvalidJsonError as error:
            self.count = count + len(records)
            self._set_error(error.reason, in_row=error.in_row)
        return text.decoded

    def _set_error(self, reason: str, *, in_row: bool = True) -> None:
        if in_row and self._in_envelope and self._step != self._decode_items:
            self.error = RowError(None, f"after the records: {reason}")
        else:
            self.error = RowError(self.count + 1 if in_row else None, reason)

    @property
    def _is_in_value(self) -> bool:
        return self._step in (self._decode_items, self._after_items, self._decode_fields)

    # Each step decodes as much as it can, and sets the next step.

    def _skip_byte_order_mark(self, text: JsonText, _: list[Any]) -> None:
        if not text.text:
            raise IncompleteJsonError
        text.position += text.text.startswith(_BYTE_ORDER_MARK)
        text.commit()
        self._step = self._begin

    def _begin(self, text: JsonText, _: list[Any]) -> None:
        steps = {"[": self._decode_items, "{": self._decode_fields}
        step = steps.get(text.peek())
        if step is None:
            raise InvalidJsonError(NO_RECORDS, in_row=False)
        text.position += 1
        text.commit()
        self._step = step

    def _decode_items(self, text: JsonText, records: list[Any]) -> None:
        learned = False
        delimiter = ","
        while delimiter == ",":
            if self._ends(text, "]"):
                break
            record = text.value()
            end = text.position
            delimiter = text.delimiter(",]")
            records.append(record)
            self._may_end = False
            text.commit()
            learned = learned or self._items.learn(text, end)
        self._step = self._after_items

    def _after_items(self, text: JsonText, _: list[Any]) -> None:
        if self._in_envelope and text.delimiter(",}") == ",":
            self._step = self._decode_fields
        else:
            self._step = self._end
        self._may_end = False
        text.commit()

    def _decode_fields(self, text: JsonText, records: list[Any]) -> None:
        delimiter = ","
        while delimiter == ",":
            if self._ends(text, "}"):
                break
            name = text.name()
            if name == ENVELOPE_FIELD and self._begin_envelope(text):
                return
            value = text.value()
            delimiter = text.delimiter(",}")
            if not self._in_envelope:
                self._record[name] = value
            self._may_end = False
            text.commit()
        if self._in_envelope:
            self._step = self._end
        else:
            records.append(self._record)
            self._step = self._decode_lines

    def _begin_envelope(self, text: JsonText) -> bool:
        """Skip the start of the array with the records; return whether there is an array."""
        if self._in_envelope:
            raise InvalidJsonError(TWICE, in_row=False)
        if text.peek() != "[":
            return False
        text.position += 1
        text.commit()
        self._in_envelope = self._may_end = True
        self._record = {}
        self._step = self._decode_items
        return True

    def _decode_lines(self, text: JsonText, records: list[Any]) -> None:
        while True:
            self._at_line_start |= "\n" in text.skip_space()
            text.commit()
            first = text.peek()
            if not self._at_line_start:
                raise InvalidJsonError(AFTER_END, in_row=False)
            if first != "{":
                raise InvalidJsonError(NOT_AN_OBJECT)
            records.append(text.value())
            text.commit()
            self._at_line_start = False

    def _end(self, text: JsonText, _: list[Any]) -> None:
        text.skip_space()
        text.commit()
        text.peek()
        raise InvalidJsonError(AFTER_END, in_row=False)

    def _ends(self, text: JsonText, close: str) -> bool:
        """Skip `close` if an array or object may end here; return whether it was skipped."""
        if not self._may_end or text.peek() != close:
            return False
        text.position += 1
        text.commit()
        return True
