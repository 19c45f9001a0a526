"""The command `emulator`."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from json import dumps
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from packagex_async.cli.display.tables import SCHEMA_VERSION, print_line
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.parameters import Flag
from packagex_async.cli.settings.reading import KEY_VARIABLE
from packagex_async.testing import Emulator, RecordedRequest

_MAX_SPEED = 1_000_000
_log = logging.getLogger("packagex_async.emulator")


async def emulator(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535), show_default=False)] = 0,
    key: str | None = None,
    seed: int = 7,
    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=_MAX_SPEED), show_default=False)] = 1.0,
    duration: Annotated[float | None, Parameter(validator=Number(gte=0), metavar="SECONDS")] = None,
    json: Flag = False,
) -> int:
    """Run a local server that emulates the API, with sample exports.

    With -v, each request is printed to stderr.

    Args:
        port: Listen on this port. Default: a free port.
        key: Accept this API key. Default: a random key.
        seed: Seed of the sample exports. The same seed generates the same exports.
        speed: Let time pass this many times faster: with 60, an export that is deleted after 24 hours is
            deleted after 24 minutes. Default: 1.
        duration: Stop after this many seconds. Default: run until Ctrl-C.
        json: Print one JSON object with the base URL and the key, once the emulator is running.
    """
    _check_key(key)
    server = Emulator(seed=seed, port=port, api_key=key, now=_clock(speed))
    server.on_response = _log_request
    try:
        await server.start()
    except OSError as error:
        # Before the reason, asyncio repeats the address, and some versions the number of the error.
        reason = str(error.strerror).rpartition(": ")[2].rpartition("] ")[2]
        raise UsageError(
            f"--port {port} cannot be used: {reason}", hint="choose another port, or omit --port"
        ) from error
    try:
        if json:
            _print_record(server)
        else:
            _print_usage(server, duration)
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await asyncio.Event().wait()
    finally:
        await server.aclose()
    return ExitCode.OK


def _check_key(key: str | None) -> None:
    if key is not None and not (key.strip() and key.isascii() and key.isprintable()):
        raise UsageError("--key must consist of printable ASCII characters")


def _clock(speed: float) -> Callable[[], float]:
    """Return a clock that starts at the current time and runs at `speed`."""
    started_at, monotonic = time.time(), time.monotonic()
    return lambda: started_at + (time.monotonic() - monotonic) * speed


def _log_request(request: RecordedRequest, seconds: float) -> None:
    status = "no response" if request.status is None else request.status
    _log.info("%s %s %s: %s in %.0f ms", request.host, request.method, request.path, status, seconds * 1000)


def _print_record(server: Emulator) -> None:
    record = {"event": "emulator", "base_url": server.base_url, "api_key": server.api_key}
    # `print_json` would redact the key, which is not a secret: the emulator contains only generated data.
    print_line(dumps({"schema_version": SCHEMA_VERSION, **record}))


def _print_usage(server: Emulator, duration: float | None) -> None:
    print_line(f"The emulator is running at {server.base_url}.")
    print_line("To use it in another terminal:")
    print_line("")
    print_line(f"  export PX_BASE_URL={server.base_url}")
    print_line(f"  export {KEY_VARIABLE}={shlex.quote(server.api_key)}")
    print_line("  packagex-exports list")
    print_line("")
    end = "on Ctrl-C" if duration is None else f"after {duration:g} seconds, or on Ctrl-C"
    print_line(f"It stops {end}.")
