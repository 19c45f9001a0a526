"""Most tests of the transport run on the event loop of asyncio and, if installed, of uvloop."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from tests.event_loops import LoopFactory, loop_factories
from tests.integration.transport.server import Security

FOLDER = Path(__file__).parent


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops by name."""
    return loop_factories()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests on uvloop that need the event loop of asyncio."""
    removed = {
        item
        for item in items
        if item.get_closest_marker("selector_loop") and "uvloop" in item.name and item.path.parent == FOLDER
    }
    if removed:
        config.hook.pytest_deselected(items=removed)
        items[:] = [item for item in items if item not in removed]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return the authority for the certificates of the servers."""
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def security(request: pytest.FixtureRequest, authority: trustme.CA) -> Security:
    """Without and with TLS."""
    return Security.none() if request.param == "http" else Security.issued_by(authority, "127.0.0.1")


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return a client context that trusts the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context
