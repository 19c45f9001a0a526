"""The command `wait`."""

from __future__ import annotations

from packagex_async import AsyncPackageX, Export
from packagex_async.cli.connection import DEFAULT_CONNECTION, Connection
from packagex_async.cli.display.exports import print_export
from packagex_async.cli.display.progress import WaitIndicator
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.parameters import Flag, Quiet, WaitSeconds


async def wait(
    export_id: str,
    /,
    *,
    timeout: WaitSeconds | None = None,
    json: Flag = False,
    quiet: Quiet = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Wait until an export is completed.

    Exits with 8 if the export failed on the platform, 9 if it timed out there, 10 if it is still in progress
    after --timeout, and 4 if it does not exist.

    Args:
        export_id: The id of the export.
        timeout: Wait at most this many seconds. Default: until the export is deleted, 24 hours after its
            creation.
        json: Print one JSON object per line, for each status of the export.
        quiet: Do not show progress.
    """
    async with connection.client() as px:
        export = await wait_until_completed(px, export_id, timeout, json=json, quiet=quiet)
    print_completed(export, json=json)
    return ExitCode.OK


async def wait_until_completed(
    px: AsyncPackageX, export: Export | str, timeout: float | None, *, json: bool, quiet: bool
) -> Export:
    """Wait until an export is completed. Show each change of its status.

    Raises:
        ExportStateError: The export failed, was deleted, or is not completed after `timeout` seconds.
    """
    label = f"export {export if isinstance(export, str) else export.id}"
    with WaitIndicator(label, quiet=quiet) as indicator:

        def on_change(export: Export) -> None:
            indicator.update(f"{label} is {export.status}")
            if json:
                print_export(export, json=True)

        return await px.exports.wait(export, timeout=timeout, on_change=on_change)


def print_completed(export: Export, *, json: bool) -> None:
    """Print the fields of a completed export. With `json`, its last status has already been printed."""
    if not json:
        print_export(export, json=False)
