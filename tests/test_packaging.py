"""What is shipped: the wheel holds the package and nothing else, the sdist all it takes to test it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from packagex_async import __version__

ROOT = Path(__file__).parents[1]
TARGETS = {"wheel": "packagex_async-*.whl", "sdist": "packagex_async-*.tar.gz"}


def build(target: str, folder: Path) -> Path:
    """Build with the tools at hand, so that nothing is fetched, and in a process of its own."""
    code = f"import sys; from hatchling import build; build.build_{target}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob(TARGETS[target])
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of the wheel, and what is in them."""
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of the sdist, as they are called in the checkout."""
    with tarfile.open(build("sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def info(name: str) -> str:
    """Where the wheel keeps what it says of itself."""
    return f"packagex_async-{__version__}.dist-info/{name}"


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, str]) -> Message:
    """What the wheel says of itself to an index."""
    return Parser().parsestr(wheel[info("METADATA")])


def required(metadata: Message, extra: str) -> set[str]:
    """The names of what an extra brings on Linux; the extra with no name is the core."""
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    here = {"extra": extra, "sys_platform": "linux"}
    return {line.name for line in lines if (not extra if line.marker is None else line.marker.evaluate(here))}


def modules(root: Path) -> set[str]:
    """The modules of the package in the checkout."""
    return {path.relative_to(root).as_posix() for path in (root / "packagex_async").rglob("*.py")}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, str]) -> None:
    """Every module is shipped, and no test, doc or tool beside it."""
    assert modules(ROOT) <= set(wheel)
    assert {name.split("/")[0] for name in wheel} == {"packagex_async", info("").rstrip("/")}


def test_the_wheel_says_that_it_is_typed(wheel: dict[str, str]) -> None:
    """Type checkers believe the annotations of a package with `py.typed`."""
    assert "packagex_async/py.typed" in wheel


def test_the_wheel_holds_its_licence(wheel: dict[str, str]) -> None:
    """MIT asks for its text in every copy."""
    assert wheel[info("licenses/LICENSE")] == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_sdist_holds_all_it_takes_to_check_it(sdist: set[str]) -> None:
    """Whoever unpacks it can run every check of the project."""
    assert modules(ROOT) <= sdist
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")} <= sdist
    assert {
        ".ci/run",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "docs/conf.py",
        "docs/explanation/architecture.md",
        "noxfile.py",
        "pyproject.toml",
    } <= sdist


def test_the_core_needs_four_libraries(metadata: Message) -> None:
    """Whatever else is of use comes by an extra."""
    assert required(metadata, "") == {"aiofiles", "aiohttp", "attrs", "cattrs"}


@pytest.mark.parametrize(
    ("extra", "names"),
    [("cli", {"cyclopts", "rich"}), ("speed", {"google-crc32c", "orjson", "uvloop"})],
)
def test_an_extra_brings_what_it_promises(metadata: Message, extra: str, names: set[str]) -> None:
    """The extras add to the core, and there are no others."""
    assert set(metadata.get_all("Provides-Extra", [])) == {"cli", "speed"}
    assert required(metadata, extra) == names


def test_the_metadata_tell_what_one_installs(metadata: Message) -> None:
    """Name, version, licence and Python, as an index shows them."""
    shown = {key: metadata[key] for key in ("Name", "Version", "License-Expression", "Requires-Python")}
    assert shown == {
        "Name": "packagex-async",
        "Version": __version__,
        "License-Expression": "MIT",
        "Requires-Python": ">=3.11",
    }


def test_the_entry_points_are_there(wheel: dict[str, str]) -> None:
    """One command, and one plugin that pytest finds by itself."""
    assert wheel[info("entry_points.txt")].split("\n\n") == [
        "[console_scripts]\npackagex-exports = packagex_async.cli:main",
        "[pytest11]\npackagex_async = packagex_async.testing.pytest_plugin\n",
    ]
