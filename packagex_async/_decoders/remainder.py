"""The data at the end of a block that cannot be decoded before more data arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Data = TypeVar("Data", str, bytes)


class Remainder(Generic[Data]):
    """The data that was received and not decoded yet.

    After a failed attempt to decode the data, the next attempt takes place when the size has doubled.
    Therefore, the time to decode a record does not grow with the square of its size.

    Args:
        join: Joins the pieces: `"".join` or `b"".join`.

    Attributes:
        size: The number of characters or bytes.
    """

    def __init__(self, join: Callable[[Iterable[Data]], Data]) -> None:
        self.size: int = 0
        self._join: Callable[[Iterable[Data]], Data] = join
        self._pieces: list[Data] = []
        self._min_size = 0

    def add(self, piece: Data) -> None:
        """Append a piece."""
        self._pieces.append(piece)
        self.size += len(piece)

    def is_due(self) -> bool:
        """Return whether the data should be decoded now."""
        return self.size >= self._min_size

    def take(self) -> Data:
        """Remove all data and return it."""
        data = self._join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data

    def put_back(self, data: Data, *, decoded: bool) -> None:
        """Store the rest of the data after an attempt to decode it.

        Args:
            data: The data that was not decoded.
            decoded: Whether another part of the data was decoded.
        """
        self._min_size = 0 if decoded else 2 * len(data)
        if data:
            self.add(data)
