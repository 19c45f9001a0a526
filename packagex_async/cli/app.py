"""The commands and their options."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from packagex_async import __version__
from packagex_async.cli import exports
from packagex_async.cli.connection import Connection
from packagex_async.cli.demo import demo
from packagex_async.cli.downloads import Outcome, Wish, exit_code_of, fetch
from packagex_async.cli.emulate import serve
from packagex_async.cli.exit_codes import HELP, ExitCode
from packagex_async.cli.output import complain, show_json, show_table
from packagex_async.cli.progress import Bars

_ABOUT = f"""List the exports of a PackageX organization, and download their artifacts, verified.

The API key is read from the variable PX_API_KEY or from --api-key-file, never from an argument.
Results go to stdout, errors and progress to stderr.

{HELP}"""

app: App = App(
    "packagex-exports",
    help=_ABOUT,
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=()),
)
Shared = Annotated[Connection, Parameter(parse=False)]


@app.command(name="list")
async def list_(
    *,
    page: int = 1,
    limit: int = 100,
    order_by: Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None,
    direction: Literal["asc", "desc"] | None = None,
    resource: str | None = None,
    statuses: list[str] | None = None,
    search: str | None = None,
    json: bool = False,
    connection: Shared,
) -> int:
    """List exports, from all pages.

    Args:
        page: The first page.
        limit: The most exports a page holds.
        order_by: The field to order by; created_at unless given.
        direction: The order; asc unless given.
        resource: Only exports of this resource: contact, group, location, shipment, tracker, ...
        statuses: Only these: queued, processing, completed, failed, timed_out; repeat it or use commas.
        search: Only exports whose name matches; each term needs 2 characters or more.
        json: Write a line of JSON for each export, as it comes.
    """
    rows = []
    async with connection.client() as px:
        listing = px.exports.list(
            page=page,
            limit=limit,
            order_by=order_by,
            direction=direction,
            resource=resource,
            statuses=_words(statuses),
            search=search,
        )
        async with aclosing(listing):
            async for export in listing:
                if json:
                    show_json(exports.record(export))
                else:
                    rows.append(exports.row(export))
    if not json:
        show_table(exports.HEADINGS, rows, foldable={"name"})
    return ExitCode.OK


@app.command
async def get(export_id: str, /, *, json: bool = False, connection: Shared) -> int:
    """Show one export, and which artifacts it offers.

    Args:
        export_id: Its id.
        json: Write a line of JSON.
    """
    async with connection.client() as px:
        export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    record = exports.record(export) | {"artifacts": list(export.artifacts)}
    if json:
        show_json(record)
    else:
        show_table(("field", "value"), (record | {"artifacts": ", ".join(export.artifacts) or None}).items())
    return ExitCode.OK


@app.command
async def download(
    export_ids: list[str],
    /,
    *,
    directory: Path = Path(),
    artifacts: list[str] | None = None,
    concurrency: int = 4,
    overwrite: bool = False,
    digest: Literal["sha256"] | None = None,
    json: bool = False,
    quiet: bool = False,
    connection: Shared,
) -> int:
    """Download the artifacts of exports, one export after another; a failure does not stop the others.

    What an interrupted run has brought is left beside the files, hidden, and taken up by the next run.

    Args:
        export_ids: Their ids.
        directory: The folder the files go to.
        artifacts: Which of json, csv, csv_error and csv_sanitized; repeat it or use commas; all unless given.
        concurrency: How many artifacts at a time.
        overwrite: Replace files that are there and differ.
        digest: Compute a digest of each file, too.
        json: Write a line of JSON for each artifact, failed ones included, as soon as its export is done.
        quiet: Show no progress bars; they are shown only on a terminal.
    """
    wish = Wish(
        directory=directory,
        artifacts=_words(artifacts),
        concurrency=concurrency,
        overwrite=overwrite,
        digest=digest,
    )
    outcomes = []
    async with connection.client() as px:
        for export_id in dict.fromkeys(export_ids):
            with Bars(quiet=quiet) as bars:
                outcome = await fetch(px, export_id, wish, bars)
            outcomes.append(outcome)
            _tell(outcome, json=json)
    if not json:
        _tabulate(outcomes, digest)
    return exit_code_of(outcomes)


@app.command
async def emulator(*, seed: int = 7, duration: float | None = None) -> int:
    """Run the emulator: a server on this machine that plays the API, with believable exports.

    Args:
        seed: What its exports are made from; the same seed makes the same exports.
        duration: Seconds to run; until Ctrl-C unless given.
    """
    await serve(seed=seed, duration=duration)
    return ExitCode.OK


app.command(demo)


def _tell(outcome: Outcome, *, json: bool) -> None:
    for error in outcome.errors:
        complain(str(error))
    for record in outcome.records() if json else ():
        show_json(record)


def _tabulate(outcomes: Iterable[Outcome], digest: str | None) -> None:
    columns = ["export_id", "artifact", "outcome", "size", "verified", "attempts", "path"]
    columns += [digest] if digest else []
    records = [record for outcome in outcomes for record in outcome.records()]
    show_table(columns, [[record[column] for column in columns] for record in records], foldable={"path"})


def _words(given: Iterable[str] | None) -> list[str] | None:
    return None if given is None else [word for item in given for word in item.split(",") if word]
