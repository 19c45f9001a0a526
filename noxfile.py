"""The checks of this project; each session has a separate environment."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from itertools import chain
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
# One installed Python is enough to work on this project.
nox.options.error_on_missing_interpreters = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PYPROJECT)
# The Python that runs nox is always installed, so at least one session runs.
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([*SUPPORTED, RUNNING]))

# Every way to read a body is tested on the Python that runs nox; elsewhere the usual way is enough.
AS_USUAL = ("-k", "not buffer_reader and not pipe_reader and not segments")

# Property tests run with all examples on one Python; elsewhere 15 percent of them are enough.
BRIEFLY = {"PROPERTY_EXAMPLES": "15"}

# All tests run in parallel, on every core. A selection of tests runs in one process.
ALL = ("-n", "logical", "--dist", "worksteal")


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def lower_bounds() -> list[str]:
    """Return constraints with the oldest declared version of every dependency."""
    project = PYPROJECT["project"]
    declared = chain(project["dependencies"], *project["optional-dependencies"].values())
    return [requirement.replace(">=", "==") for requirement in declared]


def provide(session: nox.Session, programs: dict[str, str]) -> None:
    """Install the packages of missing programs with apt."""
    # Debian installs servers in a folder that is not on the PATH of ordinary users.
    path = f"{os.environ['PATH']}:/usr/sbin"
    if missing := [package for name, package in programs.items() if not shutil.which(name, path=path)]:
        session.run("apt-get", "update", external=True)
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        session.run("apt-get", "install", "-y", *missing, env=env, external=True)


def provide_shells(session: nox.Session) -> None:
    """Install the programs of the tests of the command line with apt, in CI only.

    Outside of CI, a test without its program is skipped.
    """
    if os.environ.get("CI"):
        provide(session, {"zsh": "zsh", "fish": "fish", "groff": "groff"})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest dependencies on every supported Python of this machine.

    Coverage is measured on the Python that runs nox.
    """
    provide_shells(session)
    newest = ("--upgrade", "--upgrade-strategy", "eager")
    session.install(*newest, "-e", ".[arrow,bucket,cli,speed]", *group("tests"))
    session.run("python", "-m", "pip", "freeze", "--exclude-editable")
    if session.python == RUNNING:
        session.run("coverage", "erase")
        session.run("coverage", "run", "-m", "pytest", *(session.posargs or ALL))
        if not session.posargs:
            session.notify("coverage")
    else:
        newest_folders = ("tests/unit", "tests/integration", "tests/cli/commands")
        folders = newest_folders if session.python == PYTHONS[-1] else ("tests/unit",)
        session.run("pytest", *(session.posargs or (*folders, *AS_USUAL, *ALL)), env=BRIEFLY)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Combine the coverage of all test processes; fail below 100 % of the branches."""
    session.install("coverage")
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session(python=SUPPORTED[0])
def tests_lowest(session: nox.Session) -> None:
    """Run the tests with the oldest declared dependencies."""
    provide_shells(session)
    constraints = Path(session.create_tmp(), "constraints.txt")
    constraints.write_text("\n".join(lower_bounds()))
    session.install("-e", ".[arrow,bucket,cli,speed]", *group("tests"), "-c", str(constraints))
    selection = ("tests/unit", "tests/integration", "tests/cli/commands", *AS_USUAL)
    session.run("pytest", *(session.posargs or (*selection, *ALL)), env=BRIEFLY)


@nox.session(default=False)
def nginx(session: nox.Session) -> None:
    """Download from nginx over failing connections; apt installs nginx if it is missing."""
    provide(session, {"nginx": "nginx-light"})
    session.install("-e", ".[arrow,bucket,cli,speed]", *group("tests"))
    session.run("pytest", "-m", "nginx", "tests/nginx", *session.posargs)


@nox.session(default=False)
def databases(session: nox.Session) -> None:
    """Run the examples for databases and data frames; apt installs PostgreSQL if it is missing."""
    provide(session, {"pg_ctlcluster": "postgresql", "psql": "postgresql-client"})
    session.install("-e", ".[cli,speed]", *group("databases"), *group("tests"))
    session.run("pytest", "-m", "databases", "tests/docs/test_examples.py", *session.posargs)


@nox.session(default=False)
def buckets(session: nox.Session) -> None:
    """Download into buckets of moto and Azurite; apt installs Node.js if it is missing."""
    provide(session, {"node": "nodejs", "npm": "npm"})
    session.install("-e", ".[arrow,bucket,cli,speed]", *group("buckets"), *group("tests"))
    azurite = Path(session.create_tmp(), "azurite").resolve()
    if not (azurite / "node_modules/.bin/azurite-blob").exists():
        session.run("npm", "install", "--silent", "--prefix", str(azurite), "azurite", external=True)
    env = {"PATH": f"{azurite}/node_modules/.bin:{session.env.get('PATH') or os.environ['PATH']}"}
    session.run("pytest", "-m", "buckets", "tests/buckets", *session.posargs, env=env)


@nox.session(default=False)
@nox.parametrize("orchestrator", ("airflow", "prefect", "dagster"))
def orchestrators(session: nox.Session, orchestrator: str) -> None:
    """Run the how-to of each orchestrator with the real package; their dependencies conflict."""
    session.install("-e", ".[bucket,cli,speed]", *group(orchestrator), *group("tests"))
    session.run(
        "pytest", "-m", "orchestrators", f"tests/orchestrators/test_{orchestrator}.py", *session.posargs
    )


@nox.session(default=False)
def dask(session: nox.Session) -> None:
    """Run jobs on Dask clusters, and kill their processes; fail below 100 % of the branches."""
    session.install("-e", ".[arrow,bucket,cli,dask,speed]", *group("tests"))
    measured = "packagex_async/integrations/dask.py,packagex_async/integrations/_dask/*"
    session.env["COVERAGE_FILE"] = str(Path(session.create_tmp(), "coverage").resolve())
    session.run("coverage", "erase")
    page = "tests/docs/test_examples.py::test_examples_on_a_cluster_run"
    options = ("-m", "dask or not dask", "tests/dask_cluster", page)
    # The configuration omits the integrations, and options of the command line replace it.
    session.run("coverage", "run", "--omit=tests/*", "-m", "pytest", *options, *session.posargs)
    if not session.posargs:
        session.run("coverage", "combine")
        session.run("coverage", "report", "--omit=tests/*", f"--include={measured}")


@nox.session(default=False)
def dlt(session: nox.Session) -> None:
    """Run the tests of the dlt source, with a check for 100 % branch coverage of it."""
    session.install("-e", ".[arrow,bucket,cli,dlt,speed]", *group("dlt"), *group("tests"))
    # The settings leave out integrations, because other sessions do not run them.
    folder = "packagex_async/integrations/dlt"
    data = Path(session.create_tmp(), "coverage").resolve()
    env = {"COVERAGE_FILE": str(data)}
    session.run("coverage", "erase", env=env)
    measure = ("coverage", "run", f"--source={folder}", "--omit=none")
    session.run(*measure, "-m", "pytest", "tests/dlt_source", *(session.posargs or ALL), env=env)
    session.run("coverage", "combine", env=env)
    if not session.posargs:
        session.run("coverage", "report", f"--include={folder}/*", env=env)


@nox.session(default=False)
def kill_loop(session: nox.Session) -> None:
    """Kill and restart downloads at random moments; nothing may be corrupt or stuck."""
    session.install("-e", ".[speed]")
    session.run("python", "benchmarks/kill_loop.py", "--check", *(session.posargs or ["--rounds", "20"]))


@nox.session(default=False)
def follow_soak(session: nox.Session) -> None:
    """Run `sync --follow` with faults, SIGTERMs and 10,000 polls; takes about ten minutes."""
    session.install("-e", ".[cli,speed]")
    session.run("python", "benchmarks/follow_soak.py", "--check", *session.posargs)


FUZZ_TARGETS = (
    "response_heads", "object_metadata", "dates", "urls", "api_responses", "manifests", "redaction",
    "decompression",
)  # fmt: skip


@nox.session(default=False)
@nox.parametrize("target", FUZZ_TARGETS)
def fuzz(session: nox.Session, target: str) -> None:
    """Fuzz the parsers, guided by coverage, for 60 seconds per target or the given number of seconds."""
    session.install("-e", ".[speed]", "atheris", "multidict")
    session.run("python", "-m", "tests.fuzz.run", target, *(session.posargs or ["60"]))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Compare the speed with curl and other programs; apt installs missing ones."""
    provide(session, {"nginx": "nginx-light", "curl": "curl", "aria2c": "aria2", "time": "time"})
    session.install(".[arrow,bucket,cli,dask,dlt,speed]", *group("bench"))
    # Give an interrupted benchmark time to remove its files and stop its servers.
    session.run("python", "benchmarks/bench.py", *session.posargs, interrupt_timeout=20)


@nox.session(default=False)
def import_time(session: nox.Session) -> None:
    """Check that importing the client takes at most 25 ms more than importing aiohttp."""
    session.install(".")
    session.run("python", "benchmarks/import_time.py", "--check", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting, like the pre-commit hooks."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy and pyright, and that all public names of the installed package are typed."""
    session.install(".[arrow,bucket,cli,dask,speed]", *group("typing"))
    session.run("mypy")
    session.run("pyright")
    # Outside the checkout, so that pyright checks the installed package.
    with tempfile.TemporaryDirectory() as elsewhere, session.chdir(elsewhere):
        session.run("pyright", "--verifytypes", "packagex_async", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the docs, and run the examples that install packages; `tests` runs the other examples."""
    session.install("-e", ".[arrow,bucket,cli,speed]", *group("docs"), *group("tests"))
    session.run("sphinx-build", "-n", "-W", "-q", "docs", "docs/_build")
    session.run("pytest", "-m", "installs", "tests/docs/test_examples.py", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build and check sdist and wheel, and run the tests of the unpacked sdist against the wheel."""
    dist = Path(session.create_tmp()).resolve()
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(dist))
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.install(f"{wheel}[arrow,bucket,cli,speed]", *group("tests"))
    with tarfile.open(sdist) as archive:
        archive.extractall(dist, filter="data")
    session.chdir(dist / sdist.name.removesuffix(".tar.gz"))
    # `-P` imports the installed package, not the sources beside the tests.
    session.run("python", "-P", "-c", "import packagex_async; packagex_async.AsyncPackageX('key')")
    session.run("packagex-exports", "--version")
    # pytest loads our plugin, and with it the installed package, before it collects any folder. Other tests
    # do not depend on how the package was installed.
    selection = ("tests/unit", "tests/meta", "tests/integration/testing", *AS_USUAL)
    session.run("pytest", *(session.posargs or (*selection, *ALL)), env=BRIEFLY)
