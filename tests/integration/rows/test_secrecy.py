"""No error of an iteration contains the contents of the artifact, a key or a signature."""

from __future__ import annotations

import io
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from packagex_async import PackageXError, RetryPolicy
from packagex_async.testing import Cut, Emulator, Expired, Stall, Status, WrongHash
from tests.time_limits import LIMITED

KEY = "px_live_CANARY_in_the_key"
CELL = "CANARY-in-a-cell"
ROWS = f"id,name\n1,{CELL}\n" + f"2,{CELL}\n" * 9_000

MALFORMED = {
    "wrong number of cells": ("csv", f"{ROWS}3,{CELL},{CELL}\n"),
    "unclosed quote": ("csv", f'{ROWS}3,"{CELL}\n'),
    "text after quote": ("csv", f'{ROWS}3,"{CELL}"{CELL}\n'),
    "latin-1": ("csv", f"{ROWS}3,{CELL}é\n"),
    "duplicate name": ("csv", f"{CELL}\n{CELL},{CELL}\n"),
    "truncated JSON": ("json", f'[{{"id": "{CELL}"}}, {{"id": "{CELL}"'),
    "invalid JSON": ("json", f'[{{"id": "{CELL}"}}, {{"id": "{CELL}": {CELL}}}]'),
    "invalid line": ("json", f'{{"id": "{CELL}"}}\n["{CELL}"]\n'),
    "data after the end": ("json", f'[{{"id": "{CELL}"}}] "{CELL}"'),
}
FAULTS = [Cut(50_000), WrongHash(), Stall(50_000), Expired(), Status(503, on="storage")]


def representations(error: BaseException) -> Iterator[str]:
    """Yield every representation of an error, with the local variables of all functions of the package."""
    yield f"{error} {error!r} {vars(error)!r} {pickle.dumps(error)!r}"
    formatted: traceback.TracebackException | None
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    while formatted is not None:
        for frame in formatted.stack:
            yield f"{frame.filename}:{frame.name}: {frame.locals}"
        formatted = formatted.__cause__ or formatted.__context__


async def failure(server: Emulator, export_id: str, method: str, artifact: Any) -> PackageXError:
    """Return the error that ends the iteration over an artifact."""
    retry = RetryPolicy(attempts=1)
    async with server.client(retry=retry, **LIMITED) as px:
        result = getattr(px.exports, method)(export_id, artifact)
        with pytest.raises(PackageXError) as caught:
            while method != "table":
                await anext(result)
            await result
    return caught.value


@pytest.mark.parametrize("method", ["rows", "row_batches", "batches", "table"])
@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_row(name: str, method: str, log: io.StringIO) -> None:
    """No message, attribute, log line, pickle or local variable of a traceback contains a secret."""
    artifact, text = MALFORMED[name]
    content = text.encode("latin-1")
    async with Emulator(populate=False, api_key=KEY) as server:
        export = server.add_export(content={artifact: content})
        error = await failure(server, export.id, method, artifact)
    for shown in (*representations(error), log.getvalue()):
        assert "CANARY" not in shown


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("method", ["rows", "batches", "table"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_failed_transfer(fault: Any, method: str, log: io.StringIO) -> None:
    """An error after some rows contains no secret in any representation."""
    async with Emulator(populate=False, api_key=KEY) as server:
        export = server.add_export(content={"csv": ROWS.encode()})
        server.inject(fault, times=None)
        error = await failure(server, export.id, method, "csv")
    for shown in (*representations(error), log.getvalue()):
        assert "CANARY" not in shown
        assert "Signature=" not in shown.replace("Signature=[", "")
