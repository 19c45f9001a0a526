"""Runs the code blocks of a page.

The blocks of a page run in order, in one namespace and one folder. In the namespace, `shown` is the output of
the last displayed block, `text` is the last block of text, and `source` is the code of the last displayed
Python block.
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
"""The command that runs in the background of the following blocks."""

_LIMIT = 60.0
# The installed command, with the emulator as its environments.
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
    limit: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run shell commands for at most `limit` seconds; return their output, or fail with it."""
    # `timeout` also ends the child processes, even if the tests are killed.
    run = subprocess.run(
        ["timeout", str(limit), "bash", "-euo", "pipefail", "-c", source],
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
class PageRunner:
    """Runs the blocks of one page.

    Attributes:
        loop: Runs the coroutines of blocks that await.
        background: Ends background commands at the end of the page. Blocks can use it too.
    """

    loop: asyncio.Runner
    background: contextlib.ExitStack

    def python(self, example: Example) -> None:
        """Run a Python block, which may use `await` at its top level."""
        if is_shown(example):
            example.namespace["source"] = str(example.parsed)
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        awaits = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, example.path, "exec", flags=awaits, dont_inherit=True)
        with (
            _captured(example) as written,
            contextlib.redirect_stdout(written),
            contextlib.redirect_stderr(written),
        ):
            awaited = eval(code, example.namespace)
            if inspect.iscoroutine(awaited):
                self.loop.run(awaited)

    def sh(self, example: Example) -> None:
        """Run a shell block, unless it installs packages."""
        if installs(example):
            return
        with _captured(example) as written:
            if example.parsed.strip() == SERVES:
                written.write(self.background.enter_context(_serving()))
            else:
                written.write(bash(example, example.parsed, limit=_LIMIT))

    def text(self, example: Example) -> None:
        """Store a block of text for the following blocks."""
        example.namespace["text"] = example.parsed


@contextlib.contextmanager
def page_runner(server: Emulator, scratch: Path) -> Iterator[PageRunner]:
    """Yield a runner for the blocks of a page, in a folder below `scratch`, with `server` as the API."""
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
        asyncio.Runner() as loop,
        contextlib.ExitStack() as background,
    ):
        # Do not measure the coverage of the subprocesses.
        for name in [name for name in os.environ if name.startswith("COV")]:
            del os.environ[name]
        yield PageRunner(loop, background)


@contextlib.contextmanager
def _captured(example: Example) -> Generator[io.StringIO, None, None]:
    written = io.StringIO()
    try:
        yield written
    finally:
        # pytest shows the output if a block fails.
        sys.stdout.write(written.getvalue())
        if is_shown(example):
            example.namespace["shown"] = written.getvalue()


@contextlib.contextmanager
def _serving() -> Generator[str, None, None]:
    command = ["timeout", str(_LIMIT), *SERVES.split()]
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
