"""The command `download`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from packagex_async.cli.commands.outcomes import (
    DownloadOptions,
    OutcomePrinter,
    download_export,
    exit_code_of_outcomes,
    outcome_columns,
)
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.plan import PlanPrinter
from packagex_async.cli.display.progress import ArtifactBars
from packagex_async.cli.parameters import BandwidthLimit, Destination, ExactSizes, Flag, Quiet, split_commas
from packagex_async.cli.settings.destination import parse_destination
from packagex_async.cli.sizes import Size


async def download(
    export_ids: list[str],
    /,
    *,
    directory: Annotated[Destination, Parameter(name=["--directory", "--output", "-o"])] = ".",
    artifacts: list[str] | None = None,
    concurrency: int = 4,
    overwrite: Flag = False,
    digest: Literal["sha256"] | None = None,
    max_size: Size | None = None,
    count_rows: Flag = False,
    format: Literal["parquet"] | None = None,
    ignore_failed_exports: Flag = False,
    dry_run: Flag = False,
    bytes: ExactSizes = False,
    json: Flag = False,
    quiet: Quiet = False,
    bwlimit: BandwidthLimit = None,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Download the artifacts of exports, one export after another.

    A failure does not stop the other downloads. An interrupted run leaves hidden partial files in the
    directory, which the next run resumes.

    Args:
        export_ids: The ids of the exports.
        directory: Write the files to this directory, or to a bucket: s3://, gs:// or az:// with its name.
        artifacts: Download only these artifacts: json, csv, csv_error, csv_sanitized. Repeat the option or
            separate values by commas. Default: all.
        concurrency: Download this many artifacts at the same time.
        overwrite: Replace existing files that differ.
        digest: Compute this digest of each file.
        max_size: Maximum size of an artifact, such as 10M, 1.5MB or 2MiB.
        count_rows: Count the rows of each file, and show them next to the count_total of the export.
        format: Write CSV artifacts as Parquet files. Needs the extra arrow.
        ignore_failed_exports: Exports that failed on the platform do not change the exit code.
        bytes: Show sizes in bytes, such as 1536 instead of 1.5 KiB.
        dry_run: Show the files that would be downloaded, and write nothing.
        json: Print one JSON object per line and artifact, including failed ones, after each export.
        quiet: Do not show progress bars. They are shown on terminals only.
        bwlimit: Receive at most this many bytes per second, such as 500K or 10MB.
    """
    options = DownloadOptions(
        directory=parse_destination(directory),
        artifacts=split_commas(artifacts),
        concurrency=concurrency,
        overwrite=overwrite,
        digest=digest,
        max_size=max_size,
        count_rows=count_rows,
        format=format,
        dry_run=dry_run,
    )
    plan = PlanPrinter(json=json, exact_sizes=bytes) if dry_run else None
    outcomes = []
    columns = outcome_columns(exact_sizes=bytes, digest=digest, has_rows=count_rows or format is not None)
    printer = OutcomePrinter(columns, json=json)
    async with connection.client(bandwidth_limit=bwlimit) as px:
        for export_id in dict.fromkeys(export_ids):
            with ArtifactBars(quiet=quiet) as bars:
                outcome = await download_export(px, export_id, options, bars)
            outcomes.append(outcome)
            if plan is None:
                printer.add(outcome)
            else:
                printer.add_errors(outcome)
                plan.add(outcome.report)
    if plan is None:
        printer.finish()
    else:
        plan.print_totals()
    return exit_code_of_outcomes(outcomes, ignore_failed_exports=ignore_failed_exports)
