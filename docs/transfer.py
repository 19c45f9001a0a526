"""The life of a transfer as a picture: `python docs/transfer.py` draws it anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import attrs
from drawing import AMBER, BLUE, GREEN, PALE, RED, Point, arrow, box, picture, words

from packagex_async._files.operations import CHUNK_SIZE
from packagex_async.retry import RETRYABLE_STATUSES

PICTURE = Path(__file__).parent / "_static" / "transfer.svg"

_TITLE = "The life of a transfer"
_DESC = (
    "An artifact is asked for, its answer judged, its bytes written to a partial file, verified, and "
    "published in one step. What is refused, breaks off or is wrong is tried again, with a fresh link or "
    "after a wait: then only what is missing is asked for, where there is something to go on with. What is "
    "tried in vain fails, and the target is as it was."
)

_LEFT, _WIDTHS, _BETWEEN, _BUS = 24, (316, 292), 96, 26
_LINES = (2, 3, 2, 2, 3)
"""How many lines the boxes of each row have room for."""
_TOP, _LINE, _GAP = 54, 17, 40


@attrs.frozen
class Step:
    """One box.

    Attributes:
        column: 0 for the way to the file, 1 for what goes wrong beside it.
        row: Its row, from the top.
        title: What is done, or what has happened.
        file: The file that sees to it.
        lines: How.
        color: The colour of its edge and title.
    """

    column: int
    row: int
    title: str
    file: str
    lines: tuple[str, ...]
    color: str = BLUE

    @property
    def width(self) -> int:
        """From edge to edge."""
        return _WIDTHS[self.column]

    @property
    def x(self) -> int:
        """Its left edge."""
        return _LEFT + self.column * (_WIDTHS[0] + _BETWEEN)

    @property
    def y(self) -> int:
        """Its upper edge."""
        return list(accumulate((_height(lines) + _GAP for lines in _LINES), initial=_TOP))[self.row]

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.y + _height(_LINES[self.row])

    @property
    def middle(self) -> float:
        """Between its left and right edge."""
        return self.x + self.width / 2

    def left(self, part: float = 0.5) -> Point:
        """A point of its left edge, from 0 at its upper end to 1."""
        return self.x, self.y + part * (self.bottom - self.y)

    def right(self, part: float = 0.5) -> Point:
        """A point of its right edge, likewise."""
        return self.x + self.width, self.left(part)[1]

    def parts(self) -> Iterator[str]:
        """The box, drawn."""
        yield box((self.x, self.y), self.width, self.bottom - self.y, edge=self.color)
        yield words((self.x + 12, self.y + 21), self.title, size=13, bold=True, color=self.color)
        yield words(
            (self.x + self.width - 10, self.y + 20), self.file, size=10, color=PALE, anchor="end", mono=True
        )
        for number, line in enumerate(self.lines):
            yield words((self.x + 12, self.y + 40 + _LINE * number), line)


def _height(lines: int) -> int:
    return 34 + _LINE * lines


_STATUSES = ", ".join(map(str, sorted(RETRYABLE_STATUSES)))
_BLOCKS = f"in blocks of about {CHUNK_SIZE // 2**20} MiB, hashed on the way;"

STEPS = (
    WHOLE := Step(0, 0, "Ask for all of it", "_transport/storage_client.py", (
        "the link byte for byte as it was signed,", "Accept-Encoding: identity, no credentials",
    )),
    JUDGE := Step(0, 1, "Judge the head of the answer", "_storage/response_check.py", (
        "200: from zero; length, hash, name are noted", "206: appended if range, total and name fit",
        "a file that is there and the same is kept",
    )),
    WRITE := Step(0, 2, "Write a partial beside the target", "_partials/partial_writer.py", (
        _BLOCKS, "a large one over several connections, if faster",
    )),
    VERIFY := Step(0, 3, "Verify", "_storage/body_check.py", (
        "length and hash, where they were declared: that", "makes it checksum, length or none",
    )),
    PUBLISH := Step(0, 4, "Publish", "_partials/partial_file.py", (
        'with durability="fsync", flushed to the medium;', "then the partial takes the target's place,",
        "in one step",
    ), GREEN),
    REST := Step(1, 0, "Ask for what is missing", "_download/artifact.py", (
        "Range: from the first byte that is not here", "If-Range: only of the same content",
    )),
    REFUSED := Step(1, 1, "Refused", "_storage/download_urls.py", (
        "link expired, or 404: a fresh link, retrieved", "once for all artifacts of the export",
        f"{_STATUSES}: after a wait",
    ), AMBER),
    BROKEN := Step(1, 2, "Broken off", "_download/attempts.py", (
        "cut, stalled, or no connection: after a wait;", "tries that bring something do not count",
    ), AMBER),
    WRONG := Step(1, 3, "Wrong", "_download/attempts.py", (
        "a hash that does not match: all of it", "once more, from zero",
    ), AMBER),
    FAIL := Step(1, 4, "Fail", "errors.py", (
        "too often in vain, refused for good, gone,", "or the disk is full: the target is as it was,",
        "and a partial stays only with resume=True",
    ), RED),
)  # fmt: skip


def _way() -> Iterator[str]:
    """The arrows of a transfer that meets with nothing."""
    yield words((WHOLE.middle, 24), "download()", size=11, color=PALE, anchor="middle")
    yield arrow([(WHOLE.middle, 31), (WHOLE.middle, WHOLE.y)])
    for one, other in pairwise((WHOLE, JUDGE, WRITE, VERIFY, PUBLISH)):
        yield arrow([(one.middle, one.bottom), (other.middle, other.y)])


def _trouble() -> Iterator[str]:
    """The arrows to what goes wrong, and from there to another try or to the end."""
    bus = REST.right()[0] + _BUS
    for step, trouble in ((JUDGE, REFUSED), (WRITE, BROKEN), (VERIFY, WRONG)):
        yield arrow([step.right(), trouble.left()])
        for end in (REST, FAIL):
            yield arrow([trouble.right(), (bus, trouble.right()[1]), (bus, end.right()[1]), end.right()])
    yield words((bus - 8, REFUSED.y - 14), "another try", size=11, color=PALE, anchor="end")
    yield words((bus - 8, FAIL.y - 14), "final", size=11, color=PALE, anchor="end")


def _another_try() -> Iterator[str]:
    """The arrows of a try that goes on, or cannot."""
    between = REST.x - _BETWEEN / 2
    yield words(
        (REST.middle, 24), "what an earlier run has left (resume=True)", size=11, color=PALE, anchor="middle"
    )
    yield arrow([(REST.middle, 31), (REST.middle, REST.y)])
    yield arrow([REST.left(0.3), WHOLE.right(0.3)])
    yield words((between, REST.left(0.3)[1] - 7), "nothing here", size=11, color=PALE, anchor="middle")
    yield arrow(
        [REST.left(0.75), (between, REST.left(0.75)[1]), (between, JUDGE.right(0.2)[1]), JUDGE.right(0.2)]
    )


def drawing() -> str:
    """The picture."""
    boxes = [part for step in STEPS for part in step.parts()]
    size = REST.right()[0] + _BUS + _LEFT, FAIL.bottom + _LEFT
    return picture(*size, _TITLE, _DESC, [*_way(), *_trouble(), *_another_try(), *boxes])


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
