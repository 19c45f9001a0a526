"""Fixtures: a cluster for all tests, its client, and an emulator in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from packagex_async.testing import Emulator, serve_in_thread
from tests.dask_cluster.support import KEY, local_cluster, open_client


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Provide a cluster with two workers of two threads in this process, whose coverage is measured."""
    pytest.importorskip("distributed")
    with local_cluster(processes=False) as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: Any) -> AsyncIterator[Any]:
    """Provide a client of the cluster in this process."""
    async with open_client(cluster) as client:
        yield client


@pytest.fixture(scope="session")
def process_cluster() -> Iterator[Any]:
    """Provide a cluster with two workers in processes of their own."""
    pytest.importorskip("distributed")
    with local_cluster() as cluster:
        yield cluster


@pytest.fixture
async def process_client(process_cluster: Any) -> AsyncIterator[Any]:
    """Provide a client of the cluster with processes."""
    async with open_client(process_cluster) as client:
        yield client


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Provide an empty emulator in a thread, whose key is in the environment."""
    monkeypatch.setenv("PX_API_KEY", KEY)
    with serve_in_thread(Emulator(populate=False, api_key=KEY)) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore that Dask leaves closing sockets to the garbage collector."""
    for item in items:
        if item.get_closest_marker("dask"):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
