"""The command `get`."""

from __future__ import annotations

from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.exports import DETAILS, print_export
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.output.output_file import open_text_output
from packagex_async.cli.output.selection import select_columns
from packagex_async.cli.parameters import Fields, Flag, OutputFile, Quiet


async def get(
    export_id: str,
    /,
    *,
    fields: Fields = None,
    output: OutputFile = None,
    json: Flag = False,
    quiet: Quiet = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Show an export and the artifacts that it offers.

    Args:
        export_id: The id of the export.
        fields: Show only these fields, such as status,artifacts: the fields of list, and artifacts. Repeat
            the option or separate values by commas.
        output: Write to this file instead of stdout.
        json: Print a JSON object.
        quiet: Do not show requests that are repeated.
    """
    columns = select_columns(DETAILS, fields)
    with open_text_output(output) as file:
        async with connection.client() as px:
            export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
        print_export(export, json=json, columns=columns, file=file)
    return ExitCode.OK
