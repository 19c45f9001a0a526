"""Sizes such as `10M` and durations such as `24h`: their parsers, and the types of such options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

_LETTERS = "KMGT"
_UNITS = {
    "": 1,
    "B": 1,
    **{letter: 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate(_LETTERS, 1)},
}
"""Bytes of each unit, in capital letters."""

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
"""Seconds of each unit."""

_MAX_SIZE = 2**63 - 1
_MAX_SECONDS = 100 * 366 * 24 * 3600

_NUMBER = re.compile(r"(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}) ?([A-Za-z]{0,3})", re.ASCII)


def parse_size(text: str) -> int:
    """Parse a size in bytes, such as `10485760`, `10M`, `1.5MB` or `2MiB`.

    `K`, `M`, `G`, `T` and `KiB`, `MiB`, `GiB`, `TiB` are powers of 1024. `KB`, `MB`, `GB`, `TB` are powers of
    1000. Upper and lower case are equal. Fractions of a byte are dropped.

    Returns:
        The number of bytes.

    Raises:
        ValueError: The text is not a size, or the size is more than 2**63 - 1 bytes.
    """
    number, unit = _split(text)
    factor = _UNITS.get(unit.upper())
    if number is None or factor is None or number * factor > _MAX_SIZE:
        raise ValueError(
            f"{text!r} is not a size: use a number of bytes, or a unit, as in 10M, 1.5MB or 2MiB"
        )
    return int(number * factor)


def parse_duration(text: str) -> float:
    """Parse a duration, such as `90`, `90s`, `5m`, `24h`, `2d` or `1w`.

    A number without a unit is a number of seconds.

    Returns:
        The number of seconds.

    Raises:
        ValueError: The text is not a duration, or the duration is more than 100 years.
    """
    number, unit = _split(text)
    factor = _SECONDS.get(unit)
    if number is None or factor is None or number * factor > _MAX_SECONDS:
        raise ValueError(
            f"{text!r} is not a duration: use a number of seconds, or a unit, as in 90s, 5m, 24h or 2d"
        )
    return float(number * factor)


def _split(text: str) -> tuple[Decimal | None, str]:
    match = _NUMBER.fullmatch(text.strip())
    return (Decimal(match[1]), match[2]) if match else (None, "")


def _convert_size(hint: Any, tokens: Sequence[Any]) -> int:
    return parse_size(tokens[0].value)


def _convert_duration(hint: Any, tokens: Sequence[Any]) -> float:
    return parse_duration(tokens[0].value)


Size = Annotated[int, Parameter(converter=_convert_size, metavar="SIZE", validator=Number(gte=1))]
"""The type of an option whose value is a size. The command receives the number of bytes, at least 1."""

Duration = Annotated[
    float, Parameter(converter=_convert_duration, metavar="DURATION", validator=Number(gt=0))
]
"""The type of an option whose value is a duration. The command receives the number of seconds, above 0."""
