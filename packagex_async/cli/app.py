"""The commands and their options."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from packagex_async import __version__
from packagex_async.cli.commands import exports
from packagex_async.cli.commands.demo import demo
from packagex_async.cli.commands.download import Wish, exit_code_of, fetch, tabulate, tell
from packagex_async.cli.commands.emulate import serve
from packagex_async.cli.commands.filters import Filters, words
from packagex_async.cli.commands.lifecycle import create, wait
from packagex_async.cli.commands.sync import sync
from packagex_async.cli.commands.verify import verify
from packagex_async.cli.connection import Shared
from packagex_async.cli.display.progress import Bars
from packagex_async.cli.display.tables import show_json, show_table
from packagex_async.cli.exit_codes import HELP, ExitCode

_ABOUT = f"""List and create the exports of a PackageX organization, and download their artifacts, verified.

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


@app.command(name="list")
async def list_(
    *,
    page: int = 1,
    filters: Annotated[Filters, Parameter(name="*")] = Filters(),  # noqa: B008  # frozen
    json: bool = False,
    connection: Shared,
) -> int:
    """List exports, from all pages.

    Args:
        page: The first page.
        json: Write a line of JSON for each export, as it comes.
    """
    rows = []
    async with connection.client() as px:
        listing = px.exports.list(page=page, **filters.parameters())
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
    exports.show_export(export, json=json)
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
        artifacts=words(artifacts),
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
            tell(outcome, json=json)
    if not json:
        tabulate(outcomes, digest)
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


for _command in (sync, create, wait, verify, demo):
    app.command(_command)
