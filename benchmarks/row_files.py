"""Large files with rows: a CSV file with multi-line addresses, and a JSON array of nested records."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

_HEADER = "id,name,email,phone,company,address,created_at\r\n"
_COMPANIES = ('"Birch, Ltd"', "Cedar Freight", '"Dogwood ""Express"""', "Elm Supply")


def csv_rows() -> Iterator[str]:
    """Yield a header, and then an endless sequence of rows."""
    yield _HEADER
    rng = random.Random(7)
    while True:
        yield (
            f"cont_{rng.getrandbits(60):015X},Ada Abara,ada.{rng.getrandbits(20)}@example.com,"
            f"+1{rng.getrandbits(31)},{rng.choice(_COMPANIES)},"
            f'"{rng.getrandbits(12)} Main St\nNew York, NY",{1_704_067_200 + rng.getrandbits(24)}\r\n'
        )


def json_records() -> Iterator[str]:
    """Yield the start of an array, and then an endless sequence of records, separated by commas."""
    rng = random.Random(7)
    comma = "["
    while True:
        yield (
            f'{comma}{{"id":"cont_{rng.getrandbits(60):015X}","name":"Ada Abara",'
            f'"email":"ada.{rng.getrandbits(20)}@example.com","phone":"+1{rng.getrandbits(31)}",'
            f'"company":"Birch, Ltd","address":{{"line1":"{rng.getrandbits(12)} Main St","city":"New York"}},'
            f'"items":[{{"id":1,"quantity":{rng.getrandbits(4)}}},{{"id":2,"quantity":3}}],'
            f'"weight_oz":{rng.getrandbits(10) / 8},"created_at":{1_704_067_200 + rng.getrandbits(24)}}}'
        )
        comma = ","


def write(path: Path, pieces: Callable[[], Iterator[str]], size: int, end: str = "") -> int:
    """Write pieces to `path` until it has at least `size` bytes, and `end`; return the number of pieces."""
    count = written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for piece in pieces():
            written += file.write(piece)
            count += 1
            if written >= size:
                break
        file.write(end)
    return count
