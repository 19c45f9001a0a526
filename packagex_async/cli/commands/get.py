"""The command `get`."""

from __future__ import annotations

from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.exports import print_export
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.parameters import Flag


async def get(export_id: str, /, *, json: Flag = False, connection: Connection = DEFAULT_CONNECTION) -> int:
    """Show an export and the artifacts that it offers.

    Args:
        export_id: The id of the export.
        json: Print a JSON object.
    """
    async with connection.client() as px:
        export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    print_export(export, json=json)
    return ExitCode.OK
