"""An orchestrator that runs the program of a how-to in separate processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import attrs

from tests.docs.pages import ROOT, is_shown, parse
from tests.servers import running_server

KEY = "px_canary_k3y0fth30rch3str4t0r"
"""The API key. No file and no output may contain it."""

PROGRAM = "packagex_exports.py"
"""The file of the program, as in the how-tos."""

_LIMIT = 240.0
"""Seconds after which a command is stopped, also if the tests are killed."""

# Each process of the orchestrator uses the emulator as the API.
_SITE = """\
import os
from packagex_async import client

if url := os.environ.get("EMULATOR_URL"):
    client.ENVIRONMENTS = dict.fromkeys(client.ENVIRONMENTS, url)
"""

_REMOVED = ("AIRFLOW", "AWS_", "COV", "DAGSTER", "PREFECT", "PX_", "PYTHON")


@attrs.frozen
class Run:
    """A run of the program.

    Attributes:
        succeeded: Whether the orchestrator regards it as successful.
        attempts: The numbers of attempts of each task by its name; mapped tasks have several.
        output: Everything that was logged.
    """

    succeeded: bool
    attempts: Mapping[str, Sequence[int]]
    output: str


class Orchestrator(ABC):
    """The program of a page, and the folder of all files that the orchestrator writes.

    Args:
        folder: The folder.
        environment: Environment variables for all processes.
    """

    page: ClassVar[str]
    replaced: ClassVar[Mapping[str, str]]
    """Texts of the program that are replaced, so that tests are fast."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder / "home"
        self.programs = folder / "programs"
        site = folder / "site"
        for each in (self.folder, self.programs, site):
            each.mkdir()
        (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED)}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        python_path = os.pathsep.join(map(str, (site, self.programs, ROOT)))
        self.environment = {**kept, **environment, "PATH": path, "PYTHONPATH": python_path}
        self.outputs: list[str] = []
        (self.programs / PROGRAM).write_text(self._program(), encoding="utf-8")

    @abstractmethod
    def started(self) -> contextlib.AbstractContextManager[object]:
        """Return a context in which runs are possible, with the API key in the store of the orchestrator."""

    @abstractmethod
    def run(self, hour: datetime, api: str) -> Run:
        """Run the program for the exports of an hour, with the URL of the API."""

    def blocks(self, language: str) -> list[str]:
        """Return the displayed blocks of the page in a language."""
        document = parse(ROOT / f"docs/how-to/{self.page}.md", **{language: lambda example: None})
        return [str(example.parsed) for example in document if is_shown(example)]

    def execute(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its output is in `outputs`, too."""
        finished = subprocess.run(
            ["timeout", str(_LIMIT), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            cwd=self.programs,
            env=self.environment | environment,
        )
        self.outputs.append(finished.stdout)
        return finished

    def prepare(self, *command: str, **environment: str) -> None:
        """Run a command that must succeed."""
        finished = self.execute(*command, **environment)
        assert finished.returncode == 0, finished.stdout

    @contextlib.contextmanager
    def serving(self, *command: str) -> Iterator[None]:
        """Run a server of Uvicorn; its output is a file of the folder."""
        options = {"cwd": self.programs, "env": self.environment}
        log = self.folder / "server.log"
        with running_server([*command], "Uvicorn running on ", log=log, **options):
            yield

    def _program(self) -> str:
        program = self.blocks("python")[-1]
        for old, new in self.replaced.items():
            assert program.count(old) == 1, old
            program = program.replace(old, new)
        return program
