"""Types of parameters that several commands use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from packagex_async.cli.sizes import Size

Flag = Annotated[bool, Parameter(show_default=False)]
"""An option without a value. Its default is always off, so the help does not show it."""

Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], show_default=False)]
"""The option that turns the progress off."""

_YEAR = 366 * 24 * 60 * 60

WaitSeconds = Annotated[float, Parameter(validator=Number(gt=0, lte=_YEAR), metavar="SECONDS")]
"""A waiting time in seconds, at most a year. It is validated before any request is sent."""


def _check_output(_: object, path: Path | None) -> None:
    if path is not None and len(name := str(path)) > 1 and name.startswith("-"):
        raise ValueError(f"a file name is missing before {name}")


OutputFile = Annotated[
    Path | None, Parameter(name=["--output", "-o"], allow_leading_hyphen=True, validator=_check_output)
]
"""A file that is written instead of stdout; `-` stands for stdout."""

Fields = Annotated[list[str] | None, Parameter(metavar="FIELD...")]
"""The names of the fields that are shown."""

Destination = Annotated[str | Path, Parameter(metavar="PATH")]
"""A path, or the URL of a bucket. It stays a text, and shells complete it as a path."""

ExactSizes = Annotated[bool, Parameter(name="--bytes", show_default=False)]
"""The option that shows sizes as exact numbers of bytes."""


BandwidthLimit = Annotated[Size | None, Parameter(name="--bwlimit")]
"""The maximum rate of all transfers together, in bytes per second."""


def split_commas(values: Iterable[str] | None) -> list[str] | None:
    """Split each value of a repeatable option at commas; empty items are dropped."""
    return None if values is None else [item for value in values for item in value.split(",") if item]
