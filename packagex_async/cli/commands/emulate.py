"""The emulator in the foreground, for as long as it is wanted."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from packagex_async.cli.connection import KEY_VARIABLE
from packagex_async.cli.display.tables import show
from packagex_async.testing import Emulator


async def serve(*, seed: int, duration: float | None) -> None:
    """Run the emulator for `duration` seconds, or until cancelled when `None`; say how to use it."""
    async with Emulator(seed=seed) as server:
        show(f"The emulator plays the API at {server.base_url}, with a throwaway key. To use it:")
        show("")
        show(f"  export {KEY_VARIABLE}={server.api_key}")
        show(f"  packagex-exports list --base-url {server.base_url}")
        show("")
        show(
            "It stops on Ctrl-C."
            if duration is None
            else f"It stops after {duration:g} seconds, or on Ctrl-C."
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await asyncio.Event().wait()
