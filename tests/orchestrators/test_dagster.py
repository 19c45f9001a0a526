"""The how-to for Dagster, with an instance in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from tests.orchestrators.guarantees import Guarantees
from tests.orchestrators.orchestrator import KEY, Orchestrator, Run

pytestmark = pytest.mark.orchestrators

_DRIVER = """\
import json
import sys
import dagster as dg
import packagex_exports

attempts = {}
with dg.DagsterInstance.get() as instance:
    result = dg.materialize(
        [packagex_exports.exports],
        partition_key=sys.argv[1],
        resources=packagex_exports.defs.resources,
        instance=instance,
        raise_on_error=False,
    )
for event in result.all_events:
    if event.event_type_value in ("STEP_START", "STEP_RESTARTED"):
        attempts[event.step_key] = attempts.get(event.step_key, 0) + 1
print(json.dumps([result.success, attempts]))
"""


class Dagster(Orchestrator):
    """Dagster with SQLite."""

    page = "dagster"
    replaced: ClassVar = {"BATCH = 50": "BATCH = 2", "delay=300": "delay=0"}

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self.environment |= {"DAGSTER_HOME": str(self.folder), "DAGSTER_DISABLE_TELEMETRY": "1"}
        (self.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")

    @contextmanager
    def started(self) -> Iterator[None]:
        yield

    def run(self, hour: datetime, api: str) -> Run:
        partition = f"{hour:%Y-%m-%d-%H:00}"
        finished = self.execute("python", "-c", _DRIVER, partition, EMULATOR_URL=api, PX_API_KEY=KEY)
        assert finished.returncode == 0, finished.stdout
        succeeded, steps = json.loads(finished.stdout.splitlines()[-1])
        attempts: dict[str, list[int]] = {}
        for step in sorted(steps):
            attempts.setdefault(step.removeprefix("exports.").partition("[")[0], []).append(steps[step])
        return Run(succeeded, attempts, finished.stdout)


@pytest.fixture(scope="module")
def orchestrator(
    tmp_path_factory: pytest.TempPathFactory, bucket_environment: dict[str, str]
) -> Iterator[Dagster]:
    """Provide Dagster."""
    dagster = Dagster(tmp_path_factory.mktemp("dagster"), bucket_environment)
    with dagster.started():
        yield dagster


class TestDagster(Guarantees):
    """The guarantees of the page."""
