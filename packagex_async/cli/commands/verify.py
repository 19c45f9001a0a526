"""A folder compared with its manifest, and what of it is not as it should be."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from pathlib import Path

import attrs

from packagex_async import CheckedFile, FileState, verify_directory
from packagex_async.cli.display.progress import Meter
from packagex_async.cli.display.tables import show, show_json, show_table
from packagex_async.cli.exit_codes import ExitCode

_MOST_LISTED = 100
_HEADINGS = ("state", "size", "expected", "path")
_WORDS = {
    FileState.EXACT: "exact",
    FileState.CHANGED: "changed",
    FileState.MISSING: "missing",
    FileState.UNREADABLE: "unreadable",
    FileState.OUTSIDE: "outside the folder, and not followed",
    FileState.UNLISTED: "not in the manifest",
}


async def verify(directory: Path, /, *, json: bool = False, quiet: bool = False) -> int:
    """Read every file again that sync has brought to a folder, and compare it with the manifest.

    Needs neither network nor key, and changes nothing. Files that the manifest does not name are told, and
    are no failure. What is changed or missing is fetched again by sync --verify.

    Args:
        directory: The folder.
        json: Write a line of JSON for each file, then one that sums up.
        quiet: Show no progress bar; it is shown only on a terminal.
    """
    counts: Counter[FileState] = Counter()
    listed: list[CheckedFile] = []
    with Meter("verifying", quiet=quiet) as meter:
        async with aclosing(verify_directory(directory, on_progress=meter)) as files:
            async for file in files:
                counts[file.state] += 1
                if json:
                    show_json({"event": "file"} | attrs.asdict(file))
                elif file.state is not FileState.EXACT and len(listed) < _MOST_LISTED:
                    listed.append(file)
    if json:
        show_json({"event": "summary"} | {state.value: counts[state] for state in FileState})
    else:
        _tabulate(counts, listed)
    return _exit_code(counts)


def _tabulate(counts: Counter[FileState], listed: list[CheckedFile]) -> None:
    if listed:
        rows = [(file.state, file.size, file.expected_size, file.path) for file in listed]
        show_table(_HEADINGS, rows, foldable={"path"})
        more = counts.total() - counts[FileState.EXACT] - len(listed)
        if more:
            show(f"and {more} more")
        show("")
    told = [f"{counts[state]} {words}" for state, words in _WORDS.items() if counts[state]]
    show("; ".join(told) or "The manifest names no file, and there is none.")


def _exit_code(counts: Counter[FileState]) -> ExitCode:
    if counts.total() == counts[FileState.EXACT] + counts[FileState.UNLISTED]:
        return ExitCode.OK
    return ExitCode.PARTIAL if counts[FileState.EXACT] else ExitCode.NOTHING
