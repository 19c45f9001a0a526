"""The help of the commands on the terminal."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from typing import Any, get_origin

import attrs
from cyclopts.help import (
    ColumnSpec,
    DefaultFormatter,
    DescriptionRenderer,
    HelpEntry,
    HelpPanel,
    NameRenderer,
)
from rich.console import Console, ConsoleOptions
from rich.theme import Theme

from packagex_async.cli.output.terminal import terminal_width

_VALUE_NAMES = {"STR": "TEXT", "STR...": "TEXT...", "INT": "NUMBER", "FLOAT": "NUMBER", "CHOICE": "NAME"}
_MIN_NAME_WIDTH = 24
"""The minimum width of the column of names, in which every name fits on one line."""

THEME = Theme(
    {"cyclopts.name": "bold"}
    | dict.fromkeys(("cyclopts.choices", "cyclopts.default", "cyclopts.env_var"), "none")
)
"""Styles that are legible on white and on black."""


def help_console() -> Console:
    """Return a console for stdout as it is now."""
    console = Console(theme=THEME)
    if console.is_dumb_terminal:
        # rich assumes 80 columns.
        return Console(theme=THEME, width=terminal_width(), height=console.height)
    return console


_DESCRIPTIONS = ColumnSpec(renderer=DescriptionRenderer(), overflow="fold")


class HelpFormatter:
    """Formats the help without the names of Python's types, and for narrow terminals.

    Args:
        summaries: The description of each command in the list of commands.
    """

    def __init__(self, summaries: Mapping[str, str]) -> None:
        self._summaries = summaries

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel of the help."""
        formatter = DefaultFormatter(column_specs=_columns)
        complete = self._with_summary if panel.format == "command" else with_value_name
        formatter(console, options, attrs.evolve(panel, entries=list(map(complete, panel.entries))))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage line."""
        DefaultFormatter().render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Print the description. Lines of a list keep their indentation if they wrap."""
        for line in plain_text(description).splitlines():
            console.print(_wrap(line, console.width), markup=False, highlight=False, soft_wrap=True)
        console.print()

    def _with_summary(self, entry: HelpEntry) -> HelpEntry:
        return attrs.evolve(entry, description=self._summaries.get(entry.all_options[0], entry.description))


def with_value_name(entry: HelpEntry) -> HelpEntry:
    """Return an entry that names its value `TEXT` or `NUMBER`, and a list of arguments `NAME...`."""
    label = entry.positional_label
    if label and get_origin(entry.type) is list:
        label = f"{label}..."
    metavar = _VALUE_NAMES.get(entry.metavar or "", entry.metavar)
    return attrs.evolve(entry, metavar=metavar, positional_label=label)


def plain_text(renderable: Any) -> str:
    """Return a text of the help without styles and line breaks of a terminal."""
    console = Console(file=io.StringIO(), width=100_000, color_system=None)
    with console.capture() as captured:
        console.print(renderable, soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _wrap(line: str, width: int) -> str:
    """Wrap a line; continuation lines start below the second column of `line`."""
    columns = re.match(r" +\S+ {2,}", line)
    indent = columns.end() if columns else 0
    wrapped = textwrap.wrap(line, width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(wrapped)


def _columns(console: Console, options: ConsoleOptions, entries: list[HelpEntry]) -> tuple[ColumnSpec, ...]:
    renderer = NameRenderer(max_width=max(_MIN_NAME_WIDTH, console.width // 3))
    # The column is as wide as its longest line, so that no name is broken.
    lines = [line for entry in entries for line in str(renderer(entry)).splitlines()]
    names = ColumnSpec(renderer=renderer, style="cyclopts.name", width=max(map(len, lines)))
    if not any(entry.required for entry in entries):
        return names, _DESCRIPTIONS
    marks = ColumnSpec(renderer=_mark, style="cyclopts.required_marker", width=1)
    return marks, names, _DESCRIPTIONS


def _mark(entry: HelpEntry) -> str:
    return "*" if entry.required else ""
