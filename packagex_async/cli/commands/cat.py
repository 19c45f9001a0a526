"""The command `cat`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from packagex_async import AsyncPackageX, ConfigurationError, PackageXError
from packagex_async.cli.binary_output import BinaryOutput
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.tables import print_error
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.cli.messages.failures import print_failure
from packagex_async.cli.parameters import Flag
from packagex_async.models import ArtifactName


async def cat(
    export_id: str,
    artifact: str = "csv",
    /,
    *,
    rows: Flag = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Write an artifact of an export to stdout, without a file.

    If the transfer fails, the output is incomplete, and the exit code is not 0. A program that reads the
    output cannot see the exit code. Keep its result only if the exit code is 0.

    Args:
        export_id: The id of the export.
        artifact: The artifact: csv, json, csv_error or csv_sanitized.
        rows: Write each row as a JSON object on one line.
    """
    name = cast(ArtifactName, artifact)
    write = _write_rows if rows else _write_bytes
    with BinaryOutput() as output:
        try:
            async with connection.client() as px:
                await write(px, export_id, name, output)
        except ConfigurationError:
            raise
        except PackageXError as error:
            print_failure(error)
            if output.size:
                print_error(f"the output is incomplete after {output.size} bytes")
            return exit_code_of_downloads([exit_code(error)], any_succeeded=False)
    return ExitCode.OK


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
