"""The command `man`, and the page in the wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packagex_async.cli import main

PAGE = Path(__file__).parents[3] / "docs/man/packagex-exports.1"


def test_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the page in the wheel. To update it, write the output to the file."""
    assert main(["man"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8")


@pytest.mark.skipif(not (shutil.which("groff") or "CI" in os.environ), reason="needs groff")
def test_page_is_rendered_without_warnings() -> None:
    """The page contains every command."""
    arguments = ["groff", "-ww", "-man", "-Tutf8", "-P-c", str(PAGE)]
    done = subprocess.run(arguments, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    text = re.sub(r".\x08", "", done.stdout)
    assert "packagex-exports sync [OPTIONS] DIRECTORY" in text
    assert "PX_BASE_URL" in text
