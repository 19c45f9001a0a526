"""What is shipped: the wheel holds the package and nothing else, the sdist all it takes to test it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from packagex_async import __version__

ROOT = Path(__file__).parents[2]
KINDS = r"""
    \.ci/run | \.gitignore | \.pre-commit-config\.yaml | LICENSE | PKG-INFO | pyproject\.toml
    | (CHANGELOG|CONTRIBUTING|README|SECURITY)\.md
    | noxfile\.py
    | benchmarks/(peers/)?\w+\.py | benchmarks/results/speed\.(json|md|svg)
    | docs/\w+\.py | docs/([\w-]+/)?[\w-]+\.md | docs/_static/[\w-]+\.(css|svg)
    | packagex_async/(\w+/)*\w+\.py | packagex_async/py\.typed
    | tests/([\w-]+/)*\w+\.py
"""
"""What belongs to the project: no cache, no hidden file, no result of a run but the figures that are told."""
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
        return {file.name.partition("/")[2] for file in archive if file.isfile()}


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


def belongs(name: str) -> bool:
    """Whether a file of that name is one of the project's."""
    return re.fullmatch(KINDS, name, re.VERBOSE) is not None


def ours(folder: str) -> set[str]:
    """The files in `folder` of the checkout that belong to the project."""
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
    return set(filter(belongs, there))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, str]) -> None:
    """Every module, the marker by which type checkers believe their annotations, and what pip needs."""
    about = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    assert set(wheel) == ours("packagex_async") | {info(name) for name in about}
    assert "packagex_async/py.typed" in wheel


def test_the_wheel_holds_its_licence(wheel: dict[str, str]) -> None:
    """MIT asks for its text in every copy."""
    assert wheel[info("licenses/LICENSE")] == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_sdist_holds_all_it_takes_to_check_it(sdist: set[str]) -> None:
    """Whoever unpacks it can run every check of the project."""
    folders = ("benchmarks", "docs", "packagex_async", "tests")
    assert set().union(*map(ours, folders)) <= sdist
    assert {name for name in sdist if name.partition("/")[0] not in folders} == {
        ".ci/run",
        ".gitignore",
        ".pre-commit-config.yaml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "noxfile.py",
        "pyproject.toml",
    }


def test_the_sdist_holds_nothing_else(sdist: set[str]) -> None:
    """Whatever lies about in a checkout in which somebody works."""
    assert {name for name in sdist if not belongs(name)} == set()


@pytest.mark.parametrize(
    "name",
    [
        ".venv/bin/python",
        "benchmarks/results/mine.json",
        "docs/_build/index.html",
        "docs/_build/reference/api.md",
        "packagex-demo/exp_1.csv",
        "packagex_async/__pycache__/client.cpython-311.pyc",
        "packagex_async/.client.py.swp",
        "tests/.hypothesis/x.py",
    ],
)
def test_what_work_leaves_behind_does_not_belong(name: str) -> None:
    """So that the rule could be broken."""
    assert not belongs(name)


def test_an_index_takes_the_metadata(wheel: dict[str, str]) -> None:
    """Every field is as the standard has it."""
    assert Metadata.from_email(wheel[info("METADATA")], validate=True).name == "packagex-async"


def test_the_readme_leads_nowhere_on_an_index(metadata: Message) -> None:
    """No file of the project is there: of links to them the words are left, of images nothing."""
    shown, readme = str(metadata.get_payload()), (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https:|#)", shown) == []
    assert re.findall(r"\]\((?!https:|#)", readme) != []
    words = re.sub(r"!\[[^]]*\]\([^)]*\)\n*", "", readme)
    assert shown == re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)


def test_no_version_is_too_new(metadata: Message) -> None:
    """Only aiohttp has a ceiling, its next major version, because internals of it are used."""
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    ceilings = {line.name: str(limit) for line in lines for limit in line.specifier if limit.operator != ">="}
    assert ceilings == {"aiohttp": "<4"}
    assert all(line.specifier for line in lines)


def test_pre_commit_checks_what_lint_checks() -> None:
    """The same commands, hook by hook."""
    hooks = re.findall(
        r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"), re.MULTILINE
    )
    lint = (ROOT / "noxfile.py").read_text("utf-8").partition("def lint(")[2].partition("@nox.session")[0]
    runs = re.findall(r"session\.run\((.+)\)", lint)
    assert [", ".join(f'"{word}"' for word in hook.split()) for hook in hooks] == runs != []


def test_the_core_needs_four_libraries(metadata: Message) -> None:
    """Whatever else is of use comes by an extra."""
    assert required(metadata, "") == {"aiofiles", "aiohttp", "attrs", "cattrs", "multidict", "yarl"}


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
