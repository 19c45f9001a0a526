"""The command `create`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from packagex_async import CsvFieldOptions, Export, ExportResource
from packagex_async.cli.commands.outcomes import (
    DownloadOptions,
    OutcomePrinter,
    download_export,
    exit_code_of_outcomes,
    outcome_columns,
)
from packagex_async.cli.commands.wait import print_completed, wait_until_completed
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.exports import print_export
from packagex_async.cli.display.progress import ArtifactBars
from packagex_async.cli.display.tables import print_error
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.key_values import parse_key_values
from packagex_async.cli.parameters import (
    BandwidthLimit,
    Destination,
    ExactSizes,
    Flag,
    Quiet,
    WaitSeconds,
    split_commas,
)
from packagex_async.cli.settings.destination import parse_destination


async def create(
    resource: str,
    /,
    *,
    options: Annotated[str | None, Parameter(metavar="JSON")] = None,
    option: Annotated[list[str] | None, Parameter(metavar="NAME=VALUE...")] = None,
    timezone: str | None = None,
    datetime_format: str | None = None,
    columns: list[str] | None = None,
    wait: Flag = False,
    timeout: WaitSeconds | None = None,
    download: Destination | None = None,
    count_rows: Flag = False,
    format: Literal["parquet"] | None = None,
    bytes: ExactSizes = False,
    json: Flag = False,
    quiet: Quiet = False,
    bwlimit: BandwidthLimit = None,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Create an export. Optionally wait for it and download it.

    Args:
        resource: The resource to export: contact, group, location, shipment, tracker, ...
        options: Filters of the exported rows, as a JSON object. The names are those of the list API of the
            resource.
        option: One filter as name=value, such as created_at=gte:2024-01-01. May be repeated. Values that are
            valid JSON, such as 1000 or true, are decoded.
        timezone: Time zone of the dates in CSV files, such as America/New_York.
        datetime_format: Format of the dates in CSV files, such as "MM/dd/yyyy hh:mm:ss a".
        columns: Columns of CSV files, in order. Repeat the option or separate values by commas.
        wait: Wait until the export is completed.
        timeout: Wait at most this many seconds. Default: until the export is deleted, 24 hours after its
            creation.
        download: Wait until the export is completed, then download its artifacts to this directory, or to a
            bucket: s3://, gs:// or az:// with its name.
        count_rows: Count the rows of each downloaded file, and show them next to the count_total of the
            export.
        format: Write CSV artifacts as Parquet files. Needs the extra arrow.
        bytes: Show sizes in bytes, such as 1536 instead of 1.5 KiB.
        json: Print one JSON object per line, for each status of the export and for each artifact.
        quiet: Do not show progress.
        bwlimit: Receive at most this many bytes per second, such as 500K or 10MB.
    """
    filters = parse_key_values(options, option or ())
    directory = None if download is None else parse_destination(download)
    csv = CsvFieldOptions(timezone=timezone, datetime_format=datetime_format, columns=split_commas(columns))
    async with connection.client(bandwidth_limit=bwlimit) as px:
        export = await px.exports.create(
            ExportResource(resource), options=filters, csv_field_options=csv.as_json() or None
        )
        if not wait and directory is None:
            _print_created(export, json=json)
            return ExitCode.OK
        # Print the id now, in case a later step fails.
        print_error(f"export {export.id} is created")
        if json:
            print_export(export, json=True)
        export = await wait_until_completed(px, export, timeout, json=json, quiet=quiet)
        if directory is None:
            print_completed(export, json=json)
            return ExitCode.OK
        with ArtifactBars(quiet=quiet) as bars:
            download_options = DownloadOptions(directory=directory, count_rows=count_rows, format=format)
            outcome = await download_export(px, export.id, download_options, bars)
    has_rows = count_rows or format is not None
    printer = OutcomePrinter(outcome_columns(exact_sizes=bytes, has_rows=has_rows), json=json)
    printer.add(outcome)
    printer.finish()
    return exit_code_of_outcomes([outcome])


def _print_created(export: Export, *, json: bool) -> None:
    """Print a new export. If that fails, print its id to stderr, so that nobody creates the export again."""
    try:
        print_export(export, json=json)
    except OSError:
        print_error(f"export {export.id} is created")
        raise
