"""The command `verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import attrs

from packagex_async import Bucket, CheckedFile, CheckedObject, FileState, verify_directory
from packagex_async.cli.display.progress import ByteBar
from packagex_async.cli.display.tables import print_error, print_json, print_line
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.output_file import open_text_output
from packagex_async.cli.output.record_printer import RecordPrinter
from packagex_async.cli.output.sizes import format_size
from packagex_async.cli.parameters import Destination, ExactSizes, Flag, OutputFile, Quiet
from packagex_async.cli.settings.destination import parse_destination

_MAX_LISTED_FILES = 100
_STATE_STYLES = {"exact": "green"} | dict.fromkeys(("changed", "missing", "unreadable", "outside"), "red")
_LABELS = {
    FileState.EXACT: "exact",
    FileState.CHANGED: "changed",
    FileState.MISSING: "missing",
    FileState.UNREADABLE: "unreadable",
    FileState.OUTSIDE: "outside the directory (not read)",
    FileState.UNLISTED: "not in the manifest",
}


async def verify(
    directory: Destination,
    /,
    *,
    bytes: ExactSizes = False,
    output: OutputFile = None,
    json: Flag = False,
    quiet: Quiet = False,
) -> int:
    """Compare all files that sync has downloaded to a directory or bucket with the manifest.

    Needs no API key, and changes nothing. A directory needs no network connection either. Files that are not
    in the manifest are listed, but are not errors. Run sync --verify to download changed and missing files
    again.

    Args:
        directory: The directory, or the URL of a bucket: s3://, gs:// or az://.
        bytes: Show sizes in bytes, such as 1536 instead of 1.5 KiB.
        output: Write the list of files to this file instead of stdout, once it is complete.
        json: Print one JSON object per line, for each file and for the summary.
        quiet: Do not show a progress bar. It is shown on terminals only.
    """
    counts: Counter[FileState] = Counter()
    destination = parse_destination(directory)
    with open_text_output(output) as stream:
        # A terminal shows only the files that need attention.
        is_complete = json or not stream.isatty()
        printer = RecordPrinter("file", _columns(exact_sizes=bytes), json=json, file=stream)
        listed = 0
        with ByteBar("verifying", quiet=quiet) as bar:
            async with aclosing(_verify(destination, bar)) as files:
                async for file in files:
                    counts[file.state] += 1
                    if is_complete:
                        printer.add(_record(file))
                    elif file.state is not FileState.EXACT and listed < _MAX_LISTED_FILES:
                        listed += 1
                        printer.add(_record(file))
        printer.finish()
        if json:
            print_json({"event": "summary"} | {state.value: counts[state] for state in FileState}, stream)
    if not json:
        _print_summary(counts, listed, is_complete=is_complete)
    return _exit_code(counts, is_bucket=isinstance(destination, Bucket))


def _columns(*, exact_sizes: bool) -> list[Column]:
    format = str if exact_sizes else format_size
    return [
        Column("state", priority=0, required=True, min_width=10, styles=_STATE_STYLES),
        Column("size", format, priority=2, right=True),
        Column("expected_size", format, priority=3, right=True),
        Column("path", priority=1, required=True, min_width=16, keep_end=True),
        Column("export_id"),
        Column("artifact"),
        Column("key"),
    ]


def _print_summary(counts: Counter[FileState], listed: int, *, is_complete: bool) -> None:
    labels = [f"{counts[state]} {label}" for state, label in _LABELS.items() if counts[state]]
    summary = "; ".join(labels) or "there are no files, and the manifest is empty"
    if is_complete:
        # Stdout or the file contains only the files.
        print_error(summary)
        return
    if more := counts.total() - counts[FileState.EXACT] - listed:
        print_line(f"and {more} more")
    if listed:
        print_line("")
    print_line(summary)


def _verify(
    destination: Path | Bucket, on_progress: ByteBar
) -> AsyncGenerator[CheckedFile | CheckedObject, None]:
    files: AsyncGenerator[CheckedFile | CheckedObject, None]
    if isinstance(destination, Bucket):
        files = verify_directory(destination, on_progress=on_progress)
    else:
        files = verify_directory(destination, on_progress=on_progress)
    return files


def _record(file: CheckedFile | CheckedObject) -> dict[str, object]:
    key = None if isinstance(file, CheckedFile) else file.key
    record: dict[str, object] = {"path": key, "key": key}
    return record | attrs.asdict(file)


def _exit_code(counts: Counter[FileState], *, is_bucket: bool) -> ExitCode:
    if counts.total() == counts[FileState.EXACT] + counts[FileState.UNLISTED]:
        return ExitCode.OK
    return ExitCode.PARTIAL if counts[FileState.EXACT] or is_bucket else ExitCode.NOTHING
