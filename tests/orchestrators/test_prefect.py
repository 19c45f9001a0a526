"""The how-to for Prefect, with a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from packagex_async.testing import Emulator
from tests.buckets.conftest import S3Server
from tests.orchestrators.guarantees import HOUR, Guarantees, objects
from tests.orchestrators.orchestrator import KEY, Orchestrator, Run
from tests.servers import free_port

pytestmark = pytest.mark.orchestrators

_DRIVER = """\
import sys
from datetime import datetime
from packagex_exports import packagex_exports

state = packagex_exports(*map(datetime.fromisoformat, sys.argv[1:]), return_state=True)
sys.exit(not state.is_completed())
"""


class Prefect(Orchestrator):
    """Prefect with SQLite."""

    page = "prefect"
    replaced: ClassVar = {"BATCH = 50": "BATCH = 2", '"retry_delay_seconds": 300': '"retry_delay_seconds": 0'}

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self._port = free_port()
        self.environment |= {
            "DO_NOT_TRACK": "1",
            "PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api",
            "PREFECT_HOME": str(self.folder),
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "INFO",
        }

    @contextmanager
    def started(self) -> Iterator[None]:
        address = ("--host", "127.0.0.1", "--port", str(self._port))
        with self.serving("prefect", "server", "start", *address):
            store_key, _ = self.blocks("python")
            self.prepare("python", "-c", store_key, PX_API_KEY=KEY)
            yield

    def run(self, hour: datetime | None, api: str) -> Run:
        arguments = [] if hour is None else [hour.isoformat()]
        finished = self.execute("python", "-c", _DRIVER, *arguments, EMULATOR_URL=api)
        attempts: dict[str, list[int]] = {}
        for task in sorted(set(re.findall(r"Task run '([\w-]+)'", finished.stdout))):
            retries = len(re.findall(rf"Task run '{task}' - .*Retry \d+/\d+ will start", finished.stdout))
            attempts.setdefault(task.rpartition("-")[0], []).append(1 + retries)
        return Run(finished.returncode == 0, attempts, finished.stdout)


@pytest.fixture(scope="module")
def orchestrator(
    tmp_path_factory: pytest.TempPathFactory, bucket_environment: dict[str, str]
) -> Iterator[Prefect]:
    """Provide Prefect."""
    prefect = Prefect(tmp_path_factory.mktemp("prefect"), bucket_environment)
    with prefect.started():
        yield prefect


class TestPrefect(Guarantees):
    """The guarantees of the page."""

    def test_the_default_is_the_last_complete_hour(
        self, orchestrator: Prefect, server: Emulator, moto: S3Server, bucket: str
    ) -> None:
        """A scheduled run has no parameter, and downloads the exports of the hour before it."""
        # The hour may end before the run begins.
        now = datetime.now(UTC).replace(minute=30)
        exports = [
            server.add_export(rows=3, created_at=(now - index * HOUR).timestamp()) for index in range(3)
        ]
        assert orchestrator.run(None, server.base_url).succeeded
        later = now + timedelta(minutes=30) < datetime.now(UTC)
        stored = {key.split("/")[1].split(".")[0] for key in objects(moto, bucket)}
        assert stored in [{exports[1].id}] + [{exports[0].id}] * later
