"""Sizes and durations on the command line."""

from __future__ import annotations

import pytest
from cyclopts import App

from packagex_async.cli.sizes import Duration, Size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("10485760", 10_485_760),
        ("10B", 10),
        ("10M", 10 * 2**20),
        ("1G", 2**30),
        ("1k", 2**10),
        ("2T", 2 * 2**40),
        ("2MiB", 2 * 2**20),
        ("2mib", 2 * 2**20),
        ("1.5MB", 1_500_000),
        ("1.5 MB", 1_500_000),
        (".5KB", 500),
        ("10kb", 10_000),
        ("1.2345K", 1264),
        (" 7 ", 7),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_size(text: str, size: int) -> None:
    """K and KiB are powers of 1024, KB is a power of 1000, and fractions of a byte are dropped."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M",
        "-1",
        "-1M",
        "nan",
        "inf",
        "1e3",
        "10X",
        "10MBB",
        "10 0",
        "1.2.3",
        "1_000",
        "٣",
        str(2**63),
        "9" * 99,
    ],
)
def test_invalid_size(text: str) -> None:
    """The message quotes the text and shows examples."""
    with pytest.raises(ValueError, match="is not a size: use a number of bytes, or a unit, as in 10M"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("0.5", 0.5),
        ("90s", 90.0),
        ("5m", 300.0),
        ("24h", 86_400.0),
        ("2d", 172_800.0),
        ("30d", 2_592_000.0),
        ("1w", 604_800.0),
        ("1.5h", 5400.0),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    """A number without a unit is in seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "nan", "inf", "5M", "5min", "1h30m", "99999999d"])
def test_invalid_duration(text: str) -> None:
    """The message quotes the text and shows examples."""
    with pytest.raises(ValueError, match="is not a duration: use a number of seconds, or a unit, as in 90s"):
        parse_duration(text)


def test_types_of_options() -> None:
    """A command receives bytes and seconds."""
    app = App(result_action="return_value")

    @app.default
    def command(*, size: Size | None = None, duration: Duration | None = None) -> tuple[object, object]:
        return size, duration

    assert app(["--size", "1K", "--duration", "1m"]) == (1024, 60.0)
    assert app([]) == (None, None)
