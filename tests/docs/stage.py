"""The stage on which the blocks of a page run.

They run in their order, in one namespace and one folder. `shown` in the namespace is what the last block that
a reader sees has written, and `text` the last block of text, which may say the same.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from unittest import mock

import attrs
from sybil import Example
from sybil.evaluators.python import pad
from sybil.example import SybilFailure

from packagex_async import client
from packagex_async.testing import Emulator
from tests.docs.pages import installs, is_shown

SERVES = "packagex-exports emulator"
"""The block that runs beside those that follow it, as in a terminal of its own."""

_PATIENCE = 60.0
# The command as it is installed, but for where its environments are.
_COMMAND = """\
import sys
from packagex_async import client
from packagex_async.cli import main
client.ENVIRONMENTS = {environments!r}
sys.exit(main())
"""


def bash(
    example: Example,
    source: str,
    *,
    patience: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run shell commands for `patience` seconds at most; return what they have written, or fail with it."""
    # `timeout` ends what they have started, too, even if the tests are killed.
    run = subprocess.run(
        ["timeout", str(patience), "bash", "-euo", "pipefail", "-c", source],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        cwd=cwd,
        env=env,
    )
    if run.returncode:
        raise SybilFailure(example, f"{run.stdout}exit code {run.returncode}")
    return run.stdout


@attrs.define
class Stage:
    """What the blocks of one page run on.

    Attributes:
        runner: The loop on which they await at their top level.
        beside: What runs beside them, until the page ends.
    """

    runner: asyncio.Runner
    beside: contextlib.ExitStack

    def python(self, example: Example) -> None:
        """Evaluate a Python block, which may await at its top level."""
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        awaits = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, example.path, "exec", flags=awaits, dont_inherit=True)
        with (
            _told(example) as written,
            contextlib.redirect_stdout(written),
            contextlib.redirect_stderr(written),
        ):
            awaited = eval(code, example.namespace)
            if inspect.iscoroutine(awaited):
                self.runner.run(awaited)

    def sh(self, example: Example) -> None:
        """Evaluate shell commands, but for those that install."""
        if installs(example):
            return
        with _told(example) as written:
            if example.parsed.strip() == SERVES:
                written.write(self.beside.enter_context(_serving()))
            else:
                written.write(bash(example, example.parsed, patience=_PATIENCE))

    def text(self, example: Example) -> None:
        """Keep a block of text for the blocks behind it."""
        example.namespace["text"] = example.parsed


@contextlib.contextmanager
def stage(server: Emulator, scratch: Path) -> Iterator[Stage]:
    """A stage before `server`, in a folder of its own below `scratch`."""
    programs, folder = scratch / "bin", scratch / "page"
    programs.mkdir()
    folder.mkdir()
    environments = dict.fromkeys(client.ENVIRONMENTS, server.base_url)
    script = programs / "packagex_exports.py"
    script.write_text(_COMMAND.format(environments=environments), encoding="utf-8")
    command = programs / "packagex-exports"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "{script}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    with (
        mock.patch.dict(client.ENVIRONMENTS, environments),
        mock.patch.dict(os.environ, {"PATH": path, "PX_API_KEY": server.api_key}),
        contextlib.chdir(folder),
        asyncio.Runner() as runner,
        contextlib.ExitStack() as beside,
    ):
        # What the blocks run is measured by nobody.
        for name in [name for name in os.environ if name.startswith("COV")]:
            del os.environ[name]
        yield Stage(runner, beside)


@contextlib.contextmanager
def _told(example: Example) -> Generator[io.StringIO, None, None]:
    written = io.StringIO()
    try:
        yield written
    finally:
        # pytest shows it where a block fails.
        sys.stdout.write(written.getvalue())
        if is_shown(example):
            example.namespace["shown"] = written.getvalue()


@contextlib.contextmanager
def _serving() -> Generator[str, None, None]:
    command = ["timeout", str(_PATIENCE), *SERVES.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield "".join(_until(process.stdout, "It stops"))
        finally:
            process.terminate()


def _until(lines: Iterator[str], last: str) -> Iterator[str]:
    for line in lines:
        yield line
        if line.startswith(last):
            return
