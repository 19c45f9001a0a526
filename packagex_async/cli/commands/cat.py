"""The command `cat`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

from packagex_async import AsyncPackageX, ConfigurationError, PackageXError
from packagex_async.cli.binary_output import BinaryOutput
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.tables import print_error
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.cli.messages.failures import print_failure
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.output_file import is_stdout, open_binary_output
from packagex_async.cli.output.record_printer import RecordPrinter
from packagex_async.cli.output.sizes import format_size
from packagex_async.cli.parameters import BandwidthLimit, ExactSizes, Flag, OutputFile, Quiet
from packagex_async.cli.stdio import naming, require_stdout
from packagex_async.models import ArtifactName


async def cat(
    export_id: str,
    artifact: ArtifactName = "csv",
    /,
    *,
    rows: Flag = False,
    output: OutputFile = None,
    bytes: ExactSizes = False,
    json: Flag = False,
    quiet: Quiet = False,
    bwlimit: BandwidthLimit = None,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Write an artifact of an export to stdout or to a file.

    If the transfer fails, the output on stdout is incomplete, and the exit code is not 0. A program that
    reads the output cannot see the exit code. Keep its result only if the exit code is 0. A file that
    --output names is complete and verified, or it is not written.

    Args:
        export_id: The id of the export.
        artifact: The artifact.
        rows: Write each row as a JSON object on one line.
        output: Write to this file instead of stdout. An existing file is replaced.
        bytes: Show the size of the file in bytes, such as 1536 instead of 1.5 KiB. Needs --output.
        json: Print the path and the size of the file as a JSON object. Needs --output.
        quiet: Do not show requests that are repeated.
        bwlimit: Receive at most this many bytes per second, such as 500K or 10MB.
    """
    if is_stdout(output) and (json or bytes):
        raise ConfigurationError("--json and --bytes need --output FILE: stdout contains the artifact")
    if is_stdout(output):
        require_stdout()
    written: BinaryOutput | None = None
    try:
        with (
            naming("stdout" if is_stdout(output) else str(output)),
            _open_target(output) as file,
            BinaryOutput(file) as written,
        ):
            async with connection.client(bandwidth_limit=bwlimit) as px:
                await (_write_rows if rows else _write_bytes)(px, export_id, artifact, written)
    except PackageXError as error:
        print_failure(error)
        if is_stdout(output) and written and written.size:
            print_error(f"the output is incomplete after {written.size} bytes")
        return exit_code_of_downloads([exit_code(error)], any_succeeded=False)
    if not is_stdout(output):
        printer = RecordPrinter("written", _columns(exact_sizes=bytes), json=json)
        printer.add({"export_id": export_id, "artifact": artifact, "size": written.size, "path": output})
        printer.finish()
    return ExitCode.OK


def _columns(*, exact_sizes: bool) -> list[Column]:
    return [
        Column("export_id", priority=0, required=True, min_width=12),
        Column("artifact", priority=1, required=True),
        Column("size", str if exact_sizes else format_size, priority=2, required=True, right=True),
        Column("path", priority=3, required=True, min_width=16, keep_end=True),
    ]


def _open_target(output: Path | None) -> AbstractContextManager[FileIO | None]:
    return nullcontext() if output is None or is_stdout(output) else open_binary_output(output)


async def _write_bytes(
    px: AsyncPackageX, export_id: str, artifact: ArtifactName, output: BinaryOutput
) -> None:
    async with px.exports.stream(export_id, artifact) as chunks:
        async for chunk in chunks:
            await output.write(partial(bytes, chunk))


async def _write_rows(
    px: AsyncPackageX, export_id: str, artifact: ArtifactName, output: BinaryOutput
) -> None:
    async with aclosing(px.exports.row_batches(export_id, artifact)) as batches:
        async for batch in batches:
            await output.write(partial(_encode_rows, batch))


def _encode_rows(rows: Sequence[Any]) -> bytes:
    return "".join(f"{json.dumps(row, separators=(',', ':'))}\n" for row in rows).encode()
