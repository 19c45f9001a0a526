"""Every export that matches, brought to a folder: watched, counted, and told in the end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from packagex_async import AsyncPackageX, ConfigurationError, PackageXError
from packagex_async.cli.commands.filters import Filters, words
from packagex_async.cli.connection import Shared
from packagex_async.cli.display.reporters import Teller, teller_of
from packagex_async.cli.display.summary import Closing
from packagex_async.cli.display.tally import Tally
from packagex_async.cli.exit_codes import exit_code_when_stopped
from packagex_async.cli.signals import termination


@attrs.frozen(kw_only=True)
class Demands:
    """What is wanted of every export."""

    artifacts: list[str] | None = None
    """Which of json, csv, csv_error and csv_sanitized; repeat it or use commas; all unless given."""

    concurrency: int = 16
    """How many artifacts at a time."""

    layout: str = "flat"
    """flat, folders (one for each export), or a template such as {resource}/{created:%Y-%m-%d}/{id}
    with the fields id, resource, status, created and artifact."""

    wait: bool = False
    """Wait for exports that are still under way, until their 24 hours are over."""

    wait_timeout: Annotated[float, Parameter(validator=Number(gt=0))] | None = None
    """Wait for each of them for so many seconds at most; without --wait, too."""

    verify: bool = False
    """Read again what earlier runs have brought, and fetch anew what has changed."""

    no_resume: bool = False
    """Fetch everything anew, and leave nothing unfinished behind."""

    overwrite: bool = False
    """Replace files that differ and are not in the manifest."""

    fsync: bool = False
    """Have everything on the medium before it counts as there."""

    require_verification: bool = False
    """Fail an artifact whose storage host declares neither length nor hash."""

    max_size: int | None = None
    """The most bytes an artifact may have."""

    segments: int = 8
    """The most connections that bring one large artifact, 1 to 8."""

    def parameters(self) -> dict[str, Any]:
        """The same under the names of the method's parameters."""
        told = attrs.asdict(self) | {"artifacts": words(self.artifacts)}
        durability = "fsync" if told.pop("fsync") else None
        if (seconds := told.pop("wait_timeout")) is not None:
            told["wait"] = seconds
        return told | {"resume": not told.pop("no_resume"), "durability": durability}


async def sync(
    directory: Path,
    /,
    *,
    filters: Annotated[Filters, Parameter(name="*")] = Filters(),  # noqa: B008  # frozen
    demands: Annotated[Demands, Parameter(name="*")] = Demands(),  # frozen
    json: bool = False,
    quiet: bool = False,
    connection: Shared,
) -> int:
    """Bring every artifact of every export that matches to a folder, those nearest to their deletion first.

    A second run fetches only what is new, changed or lost, and goes on where one was interrupted. One failure
    stops nothing. What is there is written down in packagex-manifest.jsonl in the folder.

    Args:
        directory: The folder; made when it is not there.
        json: Write a line of JSON for each step, each export, and the end.
        quiet: Show no progress: neither bars on a terminal, nor a line for each file elsewhere.
    """
    tally = Tally()
    closing = Closing(tally=tally, directory=directory, json=json, resume=not demands.no_resume)
    try:
        async with connection.client() as px:
            with teller_of(json=json, quiet=quiet) as teller:
                await _bring(px, directory, filters.parameters(), demands.parameters(), tally, teller)
    except ConfigurationError:
        raise
    except PackageXError as error:
        code = exit_code_when_stopped(error)
        closing.tell("stopped", code, str(error))
        return code
    except asyncio.CancelledError:
        closing.tell("interrupted", termination.exit_code)
        raise
    closing.tell("complete", tally.exit_code)
    return tally.exit_code


async def _bring(
    px: AsyncPackageX,
    directory: Path,
    filters: dict[str, Any],
    demands: dict[str, Any],
    tally: Tally,
    teller: Teller,
) -> None:
    reports = px.exports.download_all(
        directory, on_progress=teller.step, on_wait=teller.waits, **filters, **demands
    )
    async with aclosing(reports):
        if teller.live:
            teller.expect(await _count(px, filters))
        async for report in reports:
            tally.add(report)
            teller.done(report, tally)


async def _count(px: AsyncPackageX, filters: dict[str, Any]) -> int | None:
    """How many exports there are, when the API tells."""
    smallest: dict[str, Any] = {**filters, "limit": 1, "prefetch": 0}
    async with aclosing(px.exports.pages(**smallest)) as pages:
        return (await anext(pages)).pagination.total_count
