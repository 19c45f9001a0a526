"""The command `emulator`."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from packagex_async.cli.display.tables import print_line
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.settings.reading import KEY_VARIABLE
from packagex_async.testing import Emulator


async def emulator(*, seed: int = 7, duration: float | None = None) -> int:
    """Run a local server that emulates the API, with sample exports.

    Args:
        seed: Seed of the sample exports. The same seed generates the same exports.
        duration: Stop after this many seconds. Default: run until Ctrl-C.
    """
    async with Emulator(seed=seed) as server:
        print_line(f"The emulator is running at {server.base_url} with a temporary key. To use it:")
        print_line("")
        print_line(f"  export {KEY_VARIABLE}={server.api_key}")
        print_line(f"  packagex-exports list --base-url {server.base_url}")
        print_line("")
        print_line(
            "It stops on Ctrl-C."
            if duration is None
            else f"It stops after {duration:g} seconds, or on Ctrl-C."
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await asyncio.Event().wait()
    return ExitCode.OK
