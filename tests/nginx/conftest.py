"""nginx for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nginx.server import Nginx, running


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """nginx with nothing to serve yet."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    with running(folder) as nginx:
        yield nginx
