"""Text in cells of the terminal: wide characters take two cells, combining characters take none."""

from __future__ import annotations

from itertools import accumulate

from rich.cells import cell_len, get_character_cell_size


def cell_width(text: str) -> int:
    """Return the number of cells that `text` takes."""
    return cell_len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return `text`, extended by spaces to `width` cells.

    Args:
        text: The text. A longer text is returned unchanged.
        width: The number of cells.
        right: Align the text to the right.
    """
    spaces = " " * (width - cell_width(text))
    return f"{spaces}{text}" if right else f"{text}{spaces}"


def shorten(text: str, width: int, *, ellipsis: str, keep_end: bool = False) -> str:
    """Return `text` in at most `width` cells. A shortened text has `ellipsis` at the cut.

    Args:
        text: The text.
        width: The number of cells.
        ellipsis: The mark of a cut.
        keep_end: Cut the start of the text instead of its end.
    """
    if cell_width(text) <= width:
        return text
    mark = ellipsis[:width]
    room = width - len(mark)
    if keep_end:
        # A combining character would change the ellipsis.
        return mark + _take(text[::-1], room)[::-1].lstrip(_combining(text))
    return _take(text, room) + mark


def _take(characters: str, width: int) -> str:
    """Return the longest start of `characters` that takes at most `width` cells."""
    ends = accumulate(map(get_character_cell_size, characters))
    return "".join(character for character, end in zip(characters, ends, strict=True) if end <= width)


def _combining(text: str) -> str:
    return "".join({character for character in text if not get_character_cell_size(character)}) or "\0"
