"""The command `list`."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter

from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display import exports
from packagex_async.cli.display.tables import print_json, print_table
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.filters import FilterOptions
from packagex_async.cli.parameters import Flag


async def list_exports(
    *,
    page: int = 1,
    filters: Annotated[FilterOptions, Parameter(name="*")] = FilterOptions(),  # noqa: B008  # frozen
    json: Flag = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """List exports.

    Args:
        page: Start at this page.
        json: Print one JSON object per line and export.
    """
    rows = []
    async with connection.client() as px:
        listing = px.exports.list(page=page, **filters.as_arguments())
        async with aclosing(listing):
            async for export in listing:
                if json:
                    print_json(exports.to_record(export))
                else:
                    rows.append(exports.to_row(export))
    if not json:
        print_table(exports.HEADINGS, rows, wrap={"name"})
    return ExitCode.OK
