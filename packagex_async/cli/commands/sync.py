"""The command `sync`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import attrs
from cyclopts import Parameter

from packagex_async import (
    AsyncPackageX,
    Bucket,
    ConfigurationError,
    DownloadReport,
    PackageXError,
    Poll,
    ProgressEvent,
    PrunedFile,
)
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display import notices
from packagex_async.cli.display.plan import PlanPrinter, PrunePrinter
from packagex_async.cli.display.reporters import Reporter, choose_reporter
from packagex_async.cli.display.summary import SummaryPrinter
from packagex_async.cli.display.totals import Totals
from packagex_async.cli.exit_codes import ExitCode, exit_code_when_stopped
from packagex_async.cli.filters import FilterOptions
from packagex_async.cli.follow.completion_commands import CompletionCommands
from packagex_async.cli.messages.failures import FailurePrinter
from packagex_async.cli.messages.hints import error_message
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
from packagex_async.cli.signals import sigterm_handler
from packagex_async.cli.sizes import Duration, Size


@attrs.frozen(kw_only=True)
class SyncOptions:
    """The options of the downloads. The docstrings of the fields are the help of the options."""

    artifacts: list[str] | None = None
    """Download only these artifacts: json, csv, csv_error, csv_sanitized. Repeat the option or separate
    values by commas. Default: all."""

    concurrency: int = 16
    """Download this many artifacts at the same time."""

    layout: str = "flat"
    """Layout of the files in the directory: flat, folders (one per export), or a template such as
    {resource}/{created:%Y}/{id}. Fields: id, resource, status, created, artifact."""

    wait: Flag = False
    """Wait for exports that are still in progress, until they are deleted (24 hours after their creation)."""

    wait_timeout: WaitSeconds | None = None
    """Wait at most this many seconds for each export in progress. Implies --wait."""

    verify: Flag = False
    """Read existing files again, and download those that have changed."""

    no_resume: Flag = False
    """Download everything again, also complete files. Ignore partial files of earlier runs, and keep none if
    interrupted."""

    overwrite: Flag = False
    """Replace existing files that differ and are not in the manifest."""

    fsync: Flag = False
    """Call fsync for files and directories before a file counts as complete."""

    require_verification: Flag = False
    """Fail artifacts for which the server declares neither a length nor a hash."""

    exclude: Annotated[list[str] | None, Parameter(metavar="PATTERN...")] = None
    """Leave out files whose path relative to the directory matches this glob pattern, such as *.json. Repeat
    the option for several patterns."""

    prune_after: Duration | None = None
    """At the end, remove files that are older than this, such as 30d. Only unchanged files of the manifest
    are removed, and only if their export does not exist any more."""

    follow: Flag = False
    """Do not end: download each export once it is completed, and repeat failed downloads."""

    interval: Annotated[WaitSeconds, Parameter(show_default=False)] = 60.0
    """With --follow: wait this many seconds between two polls. Default: 60."""

    dry_run: Flag = False
    """Show the files that would be downloaded or removed, and write nothing."""

    max_size: Size | None = None
    """Maximum size of an artifact, such as 10M, 1.5MB or 2MiB."""

    segments: int = 8
    """Maximum number of connections per artifact, from 1 to 16."""

    count_rows: Flag = False
    """Count the rows of each file, and list files whose number of rows is not the count_total of the
    export."""

    format: Literal["parquet"] | None = None
    """Write CSV artifacts as Parquet files. Needs the extra arrow."""

    def as_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for `AsyncExports.download_all`."""
        arguments = attrs.asdict(self) | {"artifacts": split_commas(self.artifacts)}
        durability = "fsync" if arguments.pop("fsync") else None
        if (seconds := arguments.pop("wait_timeout")) is not None:
            arguments["wait"] = seconds
        return arguments | {"resume": not arguments.pop("no_resume"), "durability": durability}


async def sync(
    directory: Destination,
    /,
    *,
    filters: Annotated[FilterOptions, Parameter(name="*")] = FilterOptions(),  # noqa: B008  # frozen
    options: Annotated[SyncOptions, Parameter(name="*")] = SyncOptions(),  # frozen
    ignore_failed_exports: Flag = False,
    bytes: ExactSizes = False,
    on_complete: Annotated[str | None, Parameter(metavar="COMMAND")] = None,
    json: Flag = False,
    quiet: Quiet = False,
    bwlimit: BandwidthLimit = None,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Download all artifacts of all matching exports to a directory.

    Run it again to download new, changed and missing files, and to resume an interrupted run. Exports that
    are deleted soonest come first. A failure does not stop the other downloads. The directory contains the
    manifest packagex-manifest.jsonl, a list of all complete files.

    Args:
        directory: Write the files to this directory, which is created if it does not exist, or to a bucket:
            s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER.
        ignore_failed_exports: Exports that failed on the platform do not change the exit code.
        bytes: Show sizes in bytes, such as 1536 instead of 1.5 KiB.
        on_complete: With --follow: run this command for each export whose files are complete, without a
            shell. The environment has PACKAGEX_EXPORT_ID and PACKAGEX_PATHS. A failed command runs again
            after the next poll.
        json: Print one JSON object per line, for each progress event, each export, and the summary.
        quiet: Do not show progress.
        bwlimit: Receive at most this many bytes per second, such as 500K or 10MB.
    """
    destination = parse_destination(directory)
    plan = PlanPrinter(json=json, exact_sizes=bytes) if options.dry_run else None
    print_pruned = PrunePrinter(json=json, quiet=quiet)
    commands = CompletionCommands.parse(on_complete, follow=options.follow)
    totals = Totals(ignore_failed_exports=ignore_failed_exports, repeats=options.follow)
    summary = SummaryPrinter(
        totals=totals,
        directory=directory,
        json=json,
        resume=not options.no_resume,
        exact_sizes=bytes,
        has_removed=options.prune_after is not None,
    )

    def on_prune(file: PrunedFile) -> None:
        totals.on_prune(file)
        print_pruned(file)

    with sigterm_handler.before_exit(partial(summary.print, "interrupted", ExitCode.TERMINATED)):
        try:
            async with connection.client(bandwidth_limit=bwlimit) as px:
                with (
                    choose_reporter(
                        totals,
                        json=json,
                        quiet=quiet,
                        dry_run=options.dry_run,
                        follow=options.follow,
                        exact_sizes=bytes,
                    ) as reporter,
                    notices.listen(reporter.on_notice),
                ):
                    await _download_all(
                        px,
                        destination,
                        filters.as_arguments(),
                        options.as_arguments() | {"on_prune": on_prune},
                        totals,
                        reporter,
                        plan,
                        commands,
                    )
        except ConfigurationError:
            raise
        except PackageXError as error:
            code = exit_code_when_stopped(error)
            summary.print("stopped", code, error_message(error))
            FailurePrinter().print_hints([error])
            return code
        except asyncio.CancelledError:
            summary.print("interrupted", sigterm_handler.exit_code)
            raise
    if plan is not None:
        plan.print_totals()
    if plan is None or json:
        summary.print("complete", totals.exit_code)
    return totals.exit_code


async def _download_all(
    px: AsyncPackageX,
    destination: Path | Bucket,
    filters: dict[str, Any],
    options: dict[str, Any],
    totals: Totals,
    reporter: Reporter,
    plan: PlanPrinter | None,
    commands: CompletionCommands,
) -> None:
    def on_progress(event: ProgressEvent) -> None:
        totals.on_progress(event)
        reporter.on_progress(event)

    def on_poll(poll: Poll) -> None:
        reporter.on_poll(poll)
        commands.on_poll()

    reports = px.exports.download_all(
        destination,
        on_progress=on_progress,
        on_wait=reporter.on_wait,
        on_poll=on_poll,
        **filters,
        **options,
    )
    # A running command is ended first, because the cleanup of large files may take longer.
    async with aclosing(reports), commands:
        if reporter.is_live and not options["follow"]:
            reporter.set_total(await _count_exports(px, filters))
        async for report in cast("AsyncGenerator[DownloadReport, None]", reports):
            totals.add(report)
            if plan is not None:
                plan.add(report)
            reporter.on_report(report)
            commands.add(report)


async def _count_exports(px: AsyncPackageX, filters: dict[str, Any]) -> int | None:
    """Return the number of matching exports, or `None` if the API does not report it."""
    if filters["created_after"] or filters["created_before"]:
        # The API does not have these filters.
        return None
    smallest_page: dict[str, Any] = {**filters, "limit": 1, "prefetch": 0}
    async with aclosing(px.exports.pages(**smallest_page)) as pages:
        return (await anext(pages)).pagination.total_count
