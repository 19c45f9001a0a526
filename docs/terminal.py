"""Records a picture of `packagex-exports sync`: `python docs/terminal.py`."""

from __future__ import annotations

import io
import os
import pty
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from packagex_async.testing import Emulator, Status, Trickle, serve_in_thread

PICTURE = Path(__file__).parent / "_static" / "sync.svg"
WIDTH = 112
COMMAND = "packagex-exports sync exports/"

# Rich writes this before it redraws its rows.
_REDRAWN = re.compile(r"\r(?:\x1b\[(?:1A|2K))+")
_CURSOR = re.compile(r"\x1b\[\?25[lh]")
# Rich would load the font from the network.
_FONT = re.compile(r"@font-face \{.*?\}\n", re.DOTALL)


def fill(server: Emulator) -> None:
    """Add exports of a few megabytes with slow bodies; one failed, and one is refused by the storage host."""
    generator = random.Random(7)  # noqa: S311  # not for cryptography
    for number in range(24):
        content = {
            name: generator.randbytes(generator.randrange(400_000, 4_000_000)) for name in ("json", "csv")
        }
        created_at = server.now() - 3600 + number
        export = server.add_export(resource="shipment", content=content, created_at=created_at)
        if number == 5:
            server.inject(Status(403, on="storage", export_id=export.id, artifact="csv"))
    server.add_export(status="failed")
    server.inject(Trickle(block=65536, delay=0.03), times=None)


def record(server: Emulator, folder: str) -> str:
    """Return everything that the command writes to a terminal."""
    _, *arguments = COMMAND.split()
    command = [sys.executable, "-m", "packagex_async.cli", *arguments, "--base-url", server.base_url]
    env = os.environ | {"PX_API_KEY": server.api_key, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    screen, terminal = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=env, stdout=terminal, stderr=terminal):  # noqa: S603
        os.close(terminal)
        return b"".join(_read(screen)).decode().replace("\r\n", "\n")


def _read(screen: int) -> Iterator[bytes]:
    try:
        while block := os.read(screen, 65536):
            yield block
    except OSError:
        # Linux reports the end of a terminal as an error.
        return
    finally:
        os.close(screen)


def picture(written: str) -> str:
    """Return an SVG of the command, its display half way, and its final display."""
    *frames, end = [_CURSOR.sub("", frame).strip("\n") for frame in _REDRAWN.split(written)]
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for part in (f"$ {COMMAND}", frames[len(frames) // 2], "", end):
        console.print(Text.from_ansi(part))
    svg = console.export_svg(title="packagex-exports sync", theme=MONOKAI, unique_id="sync")
    return _FONT.sub("", svg)


if __name__ == "__main__":
    with serve_in_thread(Emulator(populate=False)) as server, tempfile.TemporaryDirectory() as folder:
        fill(server)
        PICTURE.write_text(picture(record(server, folder)), encoding="utf-8")
