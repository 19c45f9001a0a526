"""A fixture that starts nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nginx.server import Nginx, running


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """Start nginx without files."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    with running(folder) as nginx:
        yield nginx
