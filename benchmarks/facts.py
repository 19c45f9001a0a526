"""The machine and the versions that the figures were measured with. Nothing identifies the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "packagex-async",
    "aiohttp",
    "aiofiles",
    "attrs",
    "cattrs",
    "google-crc32c",
    "orjson",
    "uvloop",
    "parfive",
    "httpx",
    "obstore",
    "pydantic",
    "ijson",
)
_PROGRAMS = {"nginx": "-v", "curl": "--version", "aria2c": "--version"}
_NUMBER = re.compile(r"\d+(\.\d+)+")


def machine(folder: Path) -> Mapping[str, str | int]:
    """Return cores, memory, kernel, Python, and the file system of `folder`."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    kind = subprocess.run(["df", "--output=fstype", str(folder)], check=True, capture_output=True, text=True)
    return {
        "cores": os.cpu_count() or 0,
        "memory GiB": round(pages / 1024**3),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "file system": kind.stdout.split()[-1],
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def versions() -> Mapping[str, str]:
    """Return the versions of all packages and programs."""
    programs = {name: _program(name, option) for name, option in _PROGRAMS.items()}
    return {name: _package(name) for name in _PACKAGES} | programs


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _program(name: str, option: str) -> str:
    # Debian installs nginx in a folder that is not on the PATH of ordinary users.
    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    said = subprocess.run([name, option], check=True, capture_output=True, text=True, env=env)
    found = _NUMBER.search(said.stdout + said.stderr)
    return found[0] if found else "unknown"
