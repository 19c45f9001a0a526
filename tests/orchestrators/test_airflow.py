"""The how-to for Airflow, with the local executor and an API server."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from packagex_async.testing import Emulator, StoredExport
from tests.buckets.conftest import S3Server
from tests.orchestrators.guarantees import HOUR, Guarantees, expected, objects
from tests.orchestrators.orchestrator import KEY, Orchestrator, Run
from tests.servers import free_port

pytestmark = pytest.mark.orchestrators

DATE = "2024-05-01T02:00:00+00:00"
"""The end of the hour in the commands of the page."""


class Airflow(Orchestrator):
    """Airflow with SQLite."""

    page = "airflow"
    replaced: ClassVar = {
        "BATCH = 50": "BATCH = 2",
        '"retry_delay": timedelta(minutes=5)': '"retry_delay": timedelta(0)',
    }

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self._port = free_port()
        self.environment |= {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.programs),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self._port}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
        }

    @contextmanager
    def started(self) -> Iterator[None]:
        self.prepare("airflow", "db", "migrate")
        store_key, _ = self.blocks("sh")
        self.prepare("bash", "-euc", store_key, PX_API_KEY=KEY)
        options = ("--workers", "1", "--apps", "execution", "-H", "127.0.0.1", "-p", str(self._port))
        with self.serving("airflow", "api-server", *options):
            yield

    def run(self, hour: datetime, api: str, *options: str) -> Run:
        return self.test_command(hour, api, "--use-executor")

    def test_command(self, hour: datetime, api: str, *options: str) -> Run:
        """Run the command of the page with more options."""
        _, command = self.blocks("sh")
        assert DATE in command
        command = command.strip().replace(DATE, (hour + HOUR).isoformat())
        output = self.execute("bash", "-euc", " ".join((command, *options)), EMULATOR_URL=api).stdout
        with closing(sqlite3.connect(self.folder / "airflow.db")) as database:
            query = "SELECT run_id, state FROM dag_run ORDER BY id DESC LIMIT 1"
            run_id, state = database.execute(query).fetchone()
            query = (
                "SELECT task_id, try_number FROM task_instance"
                " WHERE run_id = ? AND state IN ('success', 'failed') ORDER BY task_id, map_index"
            )
            attempts: dict[str, list[int]] = defaultdict(list)
            for task, count in database.execute(query, (run_id,)):
                attempts[task].append(count)
        logs = [path.read_text() for path in self.folder.glob(f"logs/*/run_id={run_id}/**/*.log")]
        return Run(state == "success", attempts, "\n".join([output, *logs]))


@pytest.fixture(scope="module")
def orchestrator(
    tmp_path_factory: pytest.TempPathFactory, bucket_environment: dict[str, str]
) -> Iterator[Airflow]:
    """Provide Airflow."""
    airflow = Airflow(tmp_path_factory.mktemp("airflow"), bucket_environment)
    with airflow.started():
        yield airflow


class TestAirflow(Guarantees):
    """The guarantees of the page."""

    def test_the_command_of_the_page_needs_no_server(
        self,
        orchestrator: Airflow,
        server: Emulator,
        exports: list[StoredExport],
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """`airflow dags test` runs all tasks in one process."""
        assert orchestrator.test_command(hour, server.base_url).succeeded
        assert objects(moto, bucket) == expected(server, exports)
