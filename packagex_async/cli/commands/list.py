"""The command `list`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from packagex_async import AsyncPackageX, ConfigurationError
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.exports import COLUMNS, to_record
from packagex_async.cli.display.tables import print_error
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.filters import DEFAULT_LIMIT, FilterOptions
from packagex_async.cli.output.output_file import open_text_output
from packagex_async.cli.output.record_printer import RecordPrinter
from packagex_async.cli.output.selection import SortOrder, select_columns
from packagex_async.cli.parameters import Fields, Flag, OutputFile, Quiet

_API_ORDERS = {
    "created_at": ("created_at", False),
    "age": ("created_at", True),
    "expires_in": ("created_at", False),
    "updated_at": ("updated_at", False),
    "count_total": ("count_total", False),
    "count_batches": ("count_batches", False),
}
"""The fields by which the API sorts, and whether its order is the reverse. API: List exports, `order_by`."""


async def list_exports(
    *,
    page: int = 1,
    filters: Annotated[FilterOptions, Parameter(name="*")] = FilterOptions(),  # noqa: B008  # frozen
    max: Annotated[int | None, Parameter(name=["--max", "-n"], validator=Number(gte=1))] = None,
    sort: Annotated[str | None, Parameter(allow_leading_hyphen=True, metavar="FIELD")] = None,
    fields: Fields = None,
    output: OutputFile = None,
    json: Flag = False,
    quiet: Quiet = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """List exports.

    A narrow terminal shows only the most important columns. Output to a pipe or to a file is tab-separated
    and complete.

    Args:
        page: Start at this page.
        max: List at most this many exports. Later pages are not requested.
        sort: Sort by this field, such as name; -name is the descending order. The API sorts by created_at,
            updated_at, count_total and count_batches. For other fields, all exports are requested first.
        fields: Show only these fields: id, status, resource, count_total, created_at, age, expires_in, name,
            count_batches, updated_at, organization_id. Repeat the option or separate values by commas.
        output: Write the list to this file instead of stdout, once it is complete.
        json: Print one JSON object per line and export.
        quiet: Do not show requests that are repeated.
    """
    columns = select_columns(COLUMNS, fields)
    arguments, order = _listing_arguments(filters, sort)
    arguments["page"] = page
    if max is not None and order is None and _page_size_is_free(filters, page):
        arguments["limit"] = min(max, DEFAULT_LIMIT)
    with open_text_output(output) as file:
        printer = RecordPrinter("export", columns, json=json, file=file)
        async with connection.client() as px:
            if order is None:
                await _list(px, arguments, printer.add, max)
            else:
                records: list[dict[str, object]] = []
                await _list(px, arguments, records.append)
                for record in order.apply(records)[:max]:
                    printer.add(record)
        printer.finish()
    if printer.is_empty_table and not quiet:
        print_error("no exports found")
    return ExitCode.OK


def _listing_arguments(filters: FilterOptions, sort: str | None) -> tuple[dict[str, Any], SortOrder | None]:
    """Return the arguments for the API, and the order that the API cannot produce.

    Raises:
        ConfigurationError: `--sort` is invalid, or is used together with `--order-by` or `--direction`.
    """
    arguments = filters.as_arguments()
    if sort is None:
        return arguments, None
    if filters.order_by or filters.direction:
        raise ConfigurationError("--sort cannot be combined with --order-by or --direction: use --sort only")
    order = SortOrder.parse(sort, [column.name for column in COLUMNS])
    if order.field not in _API_ORDERS:
        return arguments, order
    order_by, is_reversed = _API_ORDERS[order.field]
    direction = "desc" if order.descending is not is_reversed else "asc"
    return arguments | {"order_by": order_by, "direction": direction}, None


def _page_size_is_free(filters: FilterOptions, page: int) -> bool:
    """Return whether pages of any size have the same result, and the API applies all filters."""
    is_filtered = filters.created_after is not None or filters.created_before is not None
    return filters.limit is None and page == 1 and not is_filtered


async def _list(
    px: AsyncPackageX,
    arguments: dict[str, Any],
    add: Callable[[dict[str, object]], object],
    max_count: int | None = None,
) -> None:
    """Call `add` with the records of at most `max_count` exports."""
    if max_count is not None:
        # Pages that are requested ahead may not be needed.
        arguments |= {"prefetch": 0}
    async with aclosing(px.exports.list(**arguments)) as exports:
        count = 0
        async for export in exports:
            add(to_record(export))
            count += 1
            if count == max_count:
                return
