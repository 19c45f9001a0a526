"""The contents and metadata of the wheel and the sdist."""

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
PROJECT_FILES = r"""
    \.ci/run | \.gitignore | \.pre-commit-config\.yaml | LICENSE | PKG-INFO | pyproject\.toml
    | (CHANGELOG|CONTRIBUTING|README|SECURITY)\.md
    | noxfile\.py
    | benchmarks/(peers/)?\w+\.py | benchmarks/results/(scale|speed)\.(json|md|svg)
    | docs/man/packagex-exports\.1 | docs/\w+\.py | docs/([\w-]+/)?[\w-]+\.md | docs/_static/[\w-]+\.(css|svg)
    | packagex_async/(\w+/)*\w+\.py | packagex_async/py\.typed
    | tests/([\w-]+/)*\w+\.py | tests/cli/screens/(\w+/)?\w+\.txt
"""
"""Paths of project files; caches, hidden files and unpublished results are excluded."""
TARGETS = {"wheel": "packagex_async-*.whl", "sdist": "packagex_async-*.tar.gz"}


def build(target: str, folder: Path) -> Path:
    """Build with the installed tools, offline, in a separate process."""
    code = f"import sys; from hatchling import build; build.build_{target}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob(TARGETS[target])
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Provide the files of the wheel with their contents."""
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Provide the names of the files of the sdist, relative to the checkout."""
    with tarfile.open(build("sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        return {file.name.partition("/")[2] for file in archive if file.isfile()}


def info(name: str) -> str:
    """Return the path of a metadata file in the wheel."""
    return f"packagex_async-{__version__}.dist-info/{name}"


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, str]) -> Message:
    """Provide the metadata of the wheel."""
    return Parser().parsestr(wheel[info("METADATA")])


def required(metadata: Message, extra: str) -> set[str]:
    """Return the requirements of an extra on Linux; the empty name selects the core."""
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    environment = {"extra": extra, "sys_platform": "linux"}
    return {
        line.name
        for line in lines
        if (not extra if line.marker is None else line.marker.evaluate(environment))
    }


def is_project_file(name: str) -> bool:
    """Return whether a path is that of a project file."""
    return re.fullmatch(PROJECT_FILES, name, re.VERBOSE) is not None


def project_files(folder: str) -> set[str]:
    """Return the project files in `folder` of the checkout."""
    paths = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
    return set(filter(is_project_file, paths))


def test_contents_of_wheel(wheel: dict[str, str]) -> None:
    """Every module, `py.typed`, the manual page, and the metadata."""
    metadata_files = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    page = f"packagex_async-{__version__}.data/data/share/man/man1/packagex-exports.1"
    assert set(wheel) == project_files("packagex_async") | {info(name) for name in metadata_files} | {page}
    assert "packagex_async/py.typed" in wheel


def test_wheel_contains_license(wheel: dict[str, str]) -> None:
    """The licence requires its text in every copy."""
    assert wheel[info("licenses/LICENSE")] == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_sdist_contains_all_checks(sdist: set[str]) -> None:
    """Every check of the project runs from the unpacked sdist."""
    folders = ("benchmarks", "docs", "packagex_async", "tests")
    assert set().union(*map(project_files, folders)) <= sdist
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


def test_sdist_contains_only_project_files(sdist: set[str]) -> None:
    """Other files in the checkout are not included."""
    assert {name for name in sdist if not is_project_file(name)} == set()


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
def test_temporary_files_are_not_project_files(name: str) -> None:
    """Caches, builds and results are excluded."""
    assert not is_project_file(name)


def test_metadata_is_valid(wheel: dict[str, str]) -> None:
    """Every field conforms to the standard."""
    assert Metadata.from_email(wheel[info("METADATA")], validate=True).name == "packagex-async"


def test_readme_has_no_relative_links_on_an_index(metadata: Message) -> None:
    """Relative links become plain text, and images are removed."""
    shown, readme = str(metadata.get_payload()), (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https:|#)", shown) == []
    assert re.findall(r"\]\((?!https:|#)", readme) != []
    words = re.sub(r"!\[[^]]*\]\([^)]*\)\n*", "", readme)
    assert shown == re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)


def test_upper_bounds(metadata: Message) -> None:
    """Only aiohttp has an upper bound, its next major version, because internals of it are used."""
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    upper_bounds = {
        line.name: str(limit) for line in lines for limit in line.specifier if limit.operator != ">="
    }
    assert upper_bounds == {"aiohttp": "<4"}
    assert all(line.specifier for line in lines)


def test_pre_commit_runs_the_lint_commands() -> None:
    """The commands are the same, hook by hook."""
    hooks = re.findall(
        r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"), re.MULTILINE
    )
    lint = (ROOT / "noxfile.py").read_text("utf-8").partition("def lint(")[2].partition("@nox.session")[0]
    runs = re.findall(r"session\.run\((.+)\)", lint)
    assert [", ".join(f'"{word}"' for word in hook.split()) for hook in hooks] == runs != []


def test_core_requirements(metadata: Message) -> None:
    """All other dependencies are extras."""
    assert required(metadata, "") == {"aiofiles", "aiohttp", "attrs", "cattrs", "multidict", "yarl"}


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ("arrow", {"pyarrow"}),
        ("bucket", {"obstore"}),
        ("cli", {"cyclopts", "rich"}),
        ("dask", {"distributed"}),
        ("dlt", {"dlt", "pyarrow"}),
        ("speed", {"google-crc32c", "orjson", "uvloop"}),
    ],
)
def test_requirements_of_extras(metadata: Message, extra: str, names: set[str]) -> None:
    """The extras add to the core, and there are no others."""
    assert set(metadata.get_all("Provides-Extra", [])) == {"arrow", "bucket", "cli", "dask", "dlt", "speed"}
    assert required(metadata, extra) == names


def test_metadata_fields(metadata: Message) -> None:
    """Name, version, licence and Python version."""
    shown = {key: metadata[key] for key in ("Name", "Version", "License-Expression", "Requires-Python")}
    assert shown == {
        "Name": "packagex-async",
        "Version": __version__,
        "License-Expression": "MIT",
        "Requires-Python": ">=3.11",
    }


def test_entry_points(wheel: dict[str, str]) -> None:
    """One command, and one pytest plugin."""
    assert wheel[info("entry_points.txt")].split("\n\n") == [
        "[console_scripts]\npackagex-exports = packagex_async.cli:main",
        "[pytest11]\npackagex_async = packagex_async.testing.pytest_plugin\n",
    ]
