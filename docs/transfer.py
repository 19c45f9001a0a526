"""Draws the states of a transfer: `python docs/transfer.py`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import attrs
from drawing import AMBER, BLUE, GREEN, PALE, RED, Point, arrow, box, picture, words

from packagex_async._files.operations import CHUNK_SIZE
from packagex_async.retry import RETRYABLE_STATUSES

PICTURE = Path(__file__).parent / "_static" / "transfer.svg"

_TITLE = "The states of a transfer"
_DESC = (
    "The client requests an artifact, checks the head of the response, writes the bytes to a partial file, "
    "verifies it, and publishes it in one step. A refused, interrupted or wrong response leads to a retry, "
    "with a renewed URL or after a wait. The retry requests only the missing bytes if some were received. "
    "When the attempts are used up, the artifact fails and the target is unchanged."
)

_LEFT, _WIDTHS, _BETWEEN, _BUS = 24, (316, 292), 96, 26
_LINES = (2, 3, 2, 2, 3)
"""The number of text lines of the boxes in each row."""
_TOP, _LINE, _GAP = 54, 17, 40


@attrs.frozen
class Step:
    """A box of the picture.

    Attributes:
        column: 0 for the steps of a successful transfer, 1 for failures and retries.
        row: The row, from the top.
        title: The step or the failure.
        file: The module that implements it.
        lines: The description.
        color: The color of edge and title.
    """

    column: int
    row: int
    title: str
    file: str
    lines: tuple[str, ...]
    color: str = BLUE

    @property
    def width(self) -> int:
        """The width of the box."""
        return _WIDTHS[self.column]

    @property
    def x(self) -> int:
        """The x coordinate of the left edge."""
        return _LEFT + self.column * (_WIDTHS[0] + _BETWEEN)

    @property
    def y(self) -> int:
        """The y coordinate of the upper edge."""
        return list(accumulate((_height(lines) + _GAP for lines in _LINES), initial=_TOP))[self.row]

    @property
    def bottom(self) -> int:
        """The y coordinate of the lower edge."""
        return self.y + _height(_LINES[self.row])

    @property
    def middle(self) -> float:
        """The x coordinate of the center."""
        return self.x + self.width / 2

    def left(self, part: float = 0.5) -> Point:
        """Return a point of the left edge; `part` is 0 at the top and 1 at the bottom."""
        return self.x, self.y + part * (self.bottom - self.y)

    def right(self, part: float = 0.5) -> Point:
        """Return a point of the right edge; `part` is 0 at the top and 1 at the bottom."""
        return self.x + self.width, self.left(part)[1]

    def parts(self) -> Iterator[str]:
        """Yield the SVG elements of the box."""
        yield box((self.x, self.y), self.width, self.bottom - self.y, edge=self.color)
        yield words((self.x + 12, self.y + 21), self.title, size=13, bold=True, color=self.color)
        yield words(
            (self.x + self.width - 10, self.y + 20),
            Path(self.file).name,
            size=10,
            color=PALE,
            anchor="end",
            mono=True,
        )
        for number, line in enumerate(self.lines):
            yield words((self.x + 12, self.y + 40 + _LINE * number), line)


def _height(lines: int) -> int:
    return 34 + _LINE * lines


_STATUSES = ", ".join(map(str, sorted(RETRYABLE_STATUSES)))
_BLOCKS = f"in blocks of about {CHUNK_SIZE // 2**20} MiB, hashed when written;"

STEPS = (
    WHOLE := Step(0, 0, "Request all bytes", "_transport/storage_client.py", (
        "URL byte for byte as it was signed,", "Accept-Encoding: identity, no credentials",
    )),
    JUDGE := Step(0, 1, "Check the response head", "_storage/response_check.py", (
        "200: all bytes; note length, hash, validators", "206: append if range, total, validators match",
        "an existing identical file is kept",
    )),
    WRITE := Step(0, 2, "Write a partial file", "_partials/partial_writer.py", (
        _BLOCKS, "several connections if that is faster",
    )),
    VERIFY := Step(0, 3, "Verify", "_storage/body_check.py", (
        "length and hash, if they are declared:", "checksum, length or none in the report",
    )),
    PUBLISH := Step(0, 4, "Publish", "_partials/partial_file.py", (
        'flush to disk with durability="fsync";', "then rename the partial file to the target,",
        "in one step",
    ), GREEN),
    REST := Step(1, 0, "Request the missing bytes", "_download/artifact.py", (
        "Range: from the first missing byte", "If-Range: only if the content is the same",
    )),
    REFUSED := Step(1, 1, "Refused", "_storage/download_urls.py", (
        "URL expired, or 404: renew the URL, once", "for all artifacts of the export",
        f"{_STATUSES}: wait",
    ), AMBER),
    BROKEN := Step(1, 2, "Interrupted", "_download/attempts.py", (
        "cut, stalled, or no connection: wait;", "attempts with progress do not count",
    ), AMBER),
    WRONG := Step(1, 3, "Wrong hash", "_download/attempts.py", (
        "download all bytes once more,", "from the first byte",
    ), AMBER),
    FAIL := Step(1, 4, "Fail", "errors.py", (
        "no attempts left, final refusal, export gone,", "or disk full: the target is unchanged, and a",
        "partial file stays only with resume=True",
    ), RED),
)  # fmt: skip


def _success() -> Iterator[str]:
    """Yield the arrows of a successful transfer."""
    yield words((WHOLE.middle, 24), "download()", size=11, color=PALE, anchor="middle")
    yield arrow([(WHOLE.middle, 31), (WHOLE.middle, WHOLE.y)])
    for one, other in pairwise((WHOLE, JUDGE, WRITE, VERIFY, PUBLISH)):
        yield arrow([(one.middle, one.bottom), (other.middle, other.y)])


def _failures() -> Iterator[str]:
    """Yield the arrows to failures, and from there to a retry or to the end."""
    bus = REST.right()[0] + _BUS
    for step, failure in ((JUDGE, REFUSED), (WRITE, BROKEN), (VERIFY, WRONG)):
        yield arrow([step.right(), failure.left()])
        for end in (REST, FAIL):
            yield arrow([failure.right(), (bus, failure.right()[1]), (bus, end.right()[1]), end.right()])
    yield words((bus - 8, REFUSED.y - 14), "retry", size=11, color=PALE, anchor="end")
    yield words((bus - 8, FAIL.y - 14), "final", size=11, color=PALE, anchor="end")


def _retry() -> Iterator[str]:
    """Yield the arrows of a retry that continues or starts again."""
    between = REST.x - _BETWEEN / 2
    yield words(
        (REST.middle, 24),
        "partial file of an earlier run (resume=True)",
        size=11,
        color=PALE,
        anchor="middle",
    )
    yield arrow([(REST.middle, 31), (REST.middle, REST.y)])
    yield arrow([REST.left(0.3), WHOLE.right(0.3)])
    yield words((between, REST.left(0.3)[1] - 7), "none received", size=11, color=PALE, anchor="middle")
    yield arrow(
        [REST.left(0.75), (between, REST.left(0.75)[1]), (between, JUDGE.right(0.2)[1]), JUDGE.right(0.2)]
    )


def drawing() -> str:
    """Return the picture as SVG."""
    boxes = [part for step in STEPS for part in step.parts()]
    size = REST.right()[0] + _BUS + _LEFT, FAIL.bottom + _LEFT
    return picture(*size, _TITLE, _DESC, [*_success(), *_failures(), *_retry(), *boxes])


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
