"""Every test of the transport runs on asyncio's own loop and, where it is there, on uvloop's."""

from __future__ import annotations

import ssl

import pytest
import trustme

from tests.integration.transport.server import Security
from tests.ways import LoopFactory, loop_factories


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """The loops by name."""
    return loop_factories()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Issues the certificates of the servers."""
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def security(request: pytest.FixtureRequest, authority: trustme.CA) -> Security:
    """Both sides without TLS, and with TLS."""
    return Security.none() if request.param == "http" else Security.issued_by(authority, "127.0.0.1")


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
