"""Several exports are read at a time, and each is returned when it is verified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import AsyncPackageX, Export
from packagex_async.testing import Emulator, Status

pytest.importorskip("dlt")
from packagex_async.integrations.dlt.event_loop import EventLoopThread
from packagex_async.integrations.dlt.parameters import SourceParameters, parse_parameters
from packagex_async.integrations.dlt.reader import (
    CONCURRENCY,
    ExportReader,
    FailedExport,
    ReadExport,
    Result,
)


@pytest.fixture
def parameters(server: Emulator) -> SourceParameters:
    return parse_parameters(server.api_key, server.base_url, "csv", None, {})


def read(reader: ExportReader) -> Iterator[Result]:
    with EventLoopThread(reader.run()) as loop:
        while (result := loop.run(reader.next_result())) is not None:
            yield result


def test_memory_is_limited(server: Emulator, parameters: SourceParameters, tmp_path: Path) -> None:
    """No more than a fixed number of exports is read ahead."""
    for _ in range(3 * CONCURRENCY):
        server.add_export(rows=1)
    results = read(ExportReader(parameters, lambda _: False, str(tmp_path)))
    next(results)

    def requested() -> int:
        return len({request.export_id for request in server.requests} - {None})

    for count, result in enumerate(results, 2):
        assert isinstance(result, ReadExport)
        assert requested() <= CONCURRENCY + count
        result.rows.close()
    assert requested() == 3 * CONCURRENCY


def test_loaded_exports_are_left_out(server: Emulator, parameters: SourceParameters) -> None:
    """An export that was loaded is not requested."""
    loaded, new = (server.add_export(rows=1) for _ in range(2))
    (result,) = read(ExportReader(parameters, lambda export_id: export_id == loaded.id, None))
    assert isinstance(result, ReadExport)
    assert (result.export.id, result.rows.count) == (new.id, 1)


def test_failed_listing(server: Emulator, parameters: SourceParameters) -> None:
    """The failure of the listing has no export."""
    server.inject(Status(403, on="api"))
    (result,) = read(ExportReader(parameters, lambda _: False, None))
    assert isinstance(result, FailedExport)
    assert (result.export, type(result.error).__name__) == (None, "PermissionDeniedError")


def test_unexpected_error(server: Emulator, parameters: SourceParameters) -> None:
    """An error that is not one of the package is returned, too, so that no thread waits for ever."""

    async def broken(_: AsyncPackageX) -> AsyncGenerator[Export, None]:
        raise ZeroDivisionError
        yield

    reader = ExportReader(attrs.evolve(parameters, list_exports=broken), lambda _: False, None)
    (result,) = read(reader)
    assert isinstance(result, FailedExport)
    group: Any = result.error
    assert isinstance(group.exceptions[0], ZeroDivisionError)


def test_client_is_closed(server: Emulator, parameters: SourceParameters) -> None:
    """The client is closed if the results are not read to the end."""
    clients: list[AsyncPackageX] = []

    def new_client() -> AsyncPackageX:
        clients.append(parameters.new_client())
        return clients[-1]

    for _ in range(3 * CONCURRENCY):
        server.add_export(rows=1)
    results = read(ExportReader(attrs.evolve(parameters, new_client=new_client), lambda _: False, None))
    next(results)
    results.close()  # type: ignore[attr-defined]
    (client,) = clients
    assert client._sessions._closed


async def test_next_result_outside_of_thread(server: Emulator, parameters: SourceParameters) -> None:
    """The reader works in any event loop."""
    server.add_export(rows=1)
    reader = ExportReader(parameters, lambda _: False, None)
    task = asyncio.create_task(reader.run())
    assert isinstance(await reader.next_result(), ReadExport)
    assert await reader.next_result() is None
    await task
