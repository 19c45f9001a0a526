"""An export created, and waited for until it is completed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from packagex_async import AsyncPackageX, CsvFieldOptions, Export, ExportResource
from packagex_async.cli.commands.download import Wish, exit_code_of, fetch, tabulate, tell
from packagex_async.cli.commands.exports import show_export
from packagex_async.cli.commands.filters import words
from packagex_async.cli.connection import Shared
from packagex_async.cli.display.key_values import mapping_of
from packagex_async.cli.display.progress import Bars, Waiting
from packagex_async.cli.display.tables import complain
from packagex_async.cli.exit_codes import ExitCode

# Refused before anything is created.
Seconds = Annotated[float, Parameter(validator=Number(gt=0))]


async def create(
    resource: str,
    /,
    *,
    options: str | None = None,
    option: list[str] | None = None,
    timezone: str | None = None,
    datetime_format: str | None = None,
    columns: list[str] | None = None,
    wait: bool = False,
    timeout: Seconds | None = None,
    download: Path | None = None,
    json: bool = False,
    quiet: bool = False,
    connection: Shared,
) -> int:
    """Create an export; wait for it, and download it, when told to.

    Args:
        resource: What to export: contact, group, location, shipment, tracker, ...
        options: Which of it: a JSON object of the filters of that resource's own list API.
        option: One of these filters as name=value, like created_at=gte:2024-01-01; may be repeated. A value
            that is JSON, like 1000 or true, is taken as that.
        timezone: The time zone of the times in the CSV, like America/New_York.
        datetime_format: How they are written, like "MM/dd/yyyy hh:mm:ss a".
        columns: The columns of the CSV, in order; repeat it or use commas.
        wait: Wait until it is completed.
        timeout: Seconds to wait; until its 24 hours are over unless given.
        download: Wait, then download its artifacts to this folder.
        json: Write a line of JSON for each status of the export, and for each artifact.
        quiet: Show no progress.
    """
    filters = mapping_of(options, option or ())
    csv = CsvFieldOptions(timezone=timezone, datetime_format=datetime_format, columns=words(columns))
    async with connection.client() as px:
        export = await px.exports.create(
            ExportResource(resource), options=filters, csv_field_options=csv.as_json() or None
        )
        if json or not (wait or download):
            show_export(export, json=json)
        if not (wait or download):
            return ExitCode.OK
        # Whatever happens from here on, its id is known.
        complain(f"export {export.id} is created")
        export = await _completed(px, export, timeout, json=json, quiet=quiet)
        if download is None:
            _show_completed(export, json=json)
            return ExitCode.OK
        with Bars(quiet=quiet) as bars:
            outcome = await fetch(px, export.id, Wish(directory=download), bars)
    tell(outcome, json=json)
    if not json:
        tabulate([outcome])
    return exit_code_of([outcome])


async def wait(
    export_id: str,
    /,
    *,
    timeout: Seconds | None = None,
    json: bool = False,
    quiet: bool = False,
    connection: Shared,
) -> int:
    """Wait until an export is completed; 8, 9, 10 and 4 are the exit codes when it is not.

    Args:
        export_id: Its id.
        timeout: Seconds to wait; until its 24 hours are over unless given.
        json: Write a line of JSON for each of its statuses.
        quiet: Show no progress: neither a line that moves on a terminal, nor one for each status elsewhere.
    """
    async with connection.client() as px:
        export = await _completed(px, export_id, timeout, json=json, quiet=quiet)
    _show_completed(export, json=json)
    return ExitCode.OK


async def _completed(
    px: AsyncPackageX, export: Export | str, timeout: float | None, *, json: bool, quiet: bool
) -> Export:
    label = f"export {export if isinstance(export, str) else export.id}"
    with Waiting(label, quiet=quiet) as waiting:

        def changed(export: Export) -> None:
            waiting.tell(f"{label} is {export.status}")
            if json:
                show_export(export, json=True)

        return await px.exports.wait(export, timeout=timeout, on_change=changed)


def _show_completed(export: Export, *, json: bool) -> None:
    # In JSON, its last status was a line already.
    if not json:
        show_export(export, json=False)
