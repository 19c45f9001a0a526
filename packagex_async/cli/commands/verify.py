"""The command `verify`."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from pathlib import Path

import attrs

from packagex_async import CheckedFile, FileState, verify_directory
from packagex_async.cli.display.progress import ByteBar
from packagex_async.cli.display.tables import print_json, print_line, print_table
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.parameters import Flag, Quiet

_MAX_LISTED_FILES = 100
_HEADINGS = ("state", "size", "expected", "path")
_LABELS = {
    FileState.EXACT: "exact",
    FileState.CHANGED: "changed",
    FileState.MISSING: "missing",
    FileState.UNREADABLE: "unreadable",
    FileState.OUTSIDE: "outside the directory (not read)",
    FileState.UNLISTED: "not in the manifest",
}


async def verify(directory: Path, /, *, json: Flag = False, quiet: Quiet = False) -> int:
    """Compare all files that sync has downloaded to a directory with the manifest.

    Needs neither a network connection nor an API key, and changes nothing. Files that are not in the manifest
    are listed, but are not errors. Run sync --verify to download changed and missing files again.

    Args:
        directory: The directory.
        json: Print one JSON object per line, for each file and for the summary.
        quiet: Do not show a progress bar. It is shown on terminals only.
    """
    counts: Counter[FileState] = Counter()
    listed: list[CheckedFile] = []
    with ByteBar("verifying", quiet=quiet) as bar:
        async with aclosing(verify_directory(directory, on_progress=bar)) as files:
            async for file in files:
                counts[file.state] += 1
                if json:
                    print_json({"event": "file"} | attrs.asdict(file))
                elif file.state is not FileState.EXACT and len(listed) < _MAX_LISTED_FILES:
                    listed.append(file)
    if json:
        print_json({"event": "summary"} | {state.value: counts[state] for state in FileState})
    else:
        _print_result(counts, listed)
    return _exit_code(counts)


def _print_result(counts: Counter[FileState], listed: list[CheckedFile]) -> None:
    if listed:
        rows = [(file.state, file.size, file.expected_size, file.path) for file in listed]
        print_table(_HEADINGS, rows, wrap={"path"})
        if more := counts.total() - counts[FileState.EXACT] - len(listed):
            print_line(f"and {more} more")
        print_line("")
    summary = [f"{counts[state]} {label}" for state, label in _LABELS.items() if counts[state]]
    print_line("; ".join(summary) or "There are no files, and the manifest is empty.")


def _exit_code(counts: Counter[FileState]) -> ExitCode:
    if counts.total() == counts[FileState.EXACT] + counts[FileState.UNLISTED]:
        return ExitCode.OK
    return ExitCode.PARTIAL if counts[FileState.EXACT] else ExitCode.NOTHING
