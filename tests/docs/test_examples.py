"""All Python and shell blocks of the documentation run, and their checks pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sybil import Document
from sybil.example import SybilFailure

from packagex_async.testing import Emulator, Life, serve_in_thread
from tests.docs.page_runner import bash, page_runner
from tests.docs.pages import (
    CLUSTERS,
    INTEGRATIONS,
    LANGUAGES,
    ORCHESTRATORS,
    PAGES,
    ROOT,
    RUN,
    blocks,
    installs,
    is_shown,
    name_of,
    needs_databases,
    parse,
)

AN_HOUR = 3600.0
WAITING = {"README.md", "nightly-job.md"}
"""The pages that wait for exports to be completed; on other pages, pending exports stay pending."""


def parse_only(page: Path) -> Document:
    """Parse a page without running its blocks."""
    return parse(page, python=lambda example: None, sh=lambda example: None)


def run_page(page: Path, scratch: Path) -> None:
    """Run the blocks of a page against a new emulator."""
    pending = Life() if page.name in WAITING else None
    with serve_in_thread(Emulator(pending=pending)) as server, page_runner(server, scratch) as runner:
        document = parse(page, python=runner.python, sh=runner.sh, text=runner.text)
        document.namespace |= {"__name__": "__main__", "server": server, "background": runner.background}
        for example in document:
            example.evaluate()


RUNNABLE = [
    page
    for page in PAGES
    if page.name not in (*ORCHESTRATORS, *INTEGRATIONS, *CLUSTERS) and not needs_databases(page)
]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """All blocks of the page run in order."""
    run_page(page, tmp_path)


@pytest.mark.databases
@pytest.mark.parametrize("page", [page for page in PAGES if needs_databases(page)], ids=name_of)
def test_examples_with_databases_run(page: Path, tmp_path: Path) -> None:
    """All blocks of the page run in order. `nox -s databases` installs what they need."""
    run_page(page, tmp_path)


@pytest.mark.dask
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if page.name in CLUSTERS], ids=name_of)
def test_examples_on_a_cluster_run(page: Path, tmp_path: Path) -> None:
    """All blocks of the page run in order. `nox -s dask` installs what they need."""
    pytest.importorskip("distributed")
    run_page(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_has_a_known_language(page: Path) -> None:
    """Every block has a known language, and every Python and shell block runs."""
    expected = list(blocks(page.read_text(encoding="utf-8")))
    assert {language for _, language in expected if not language.startswith("{")} <= LANGUAGES
    run = [
        (example.line, example.region.lexemes["arguments"])
        for example in parse_only(page)
        if is_shown(example)
    ]
    assert run == [(line, language) for line, language in expected if language in RUN]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_long_comment_is_a_block(page: Path) -> None:
    """Every comment of several lines is a block that runs, so that no misspelt directive is skipped."""
    comments = re.findall(r"<!--.*?-->", page.read_text(encoding="utf-8"), re.DOTALL)
    heads = [comment.partition("\n")[0] for comment in comments if "\n" in comment]
    assert set(heads) <= {f"<!-- invisible-code-block: {language}" for language in RUN}
    assert len(heads) == len([example for example in parse_only(page) if not is_shown(example)])


# Blocks that install packages.

GATE = {line.removesuffix(" || exit") for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()}
INSTALLING = [page for page in PAGES if any(map(installs, parse_only(page)))]


def checkout(folder: Path) -> None:
    """Copy the files of the project to `folder`."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git checkout, so the files of the project are unknown")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.rstrip("\0").split("\0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)


def test_the_gate_runs_the_test_command_of_the_readme() -> None:
    """`.ci/run` contains the command word for word, so the test below does not repeat it."""
    (command,) = [
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "nox" in line
    ]
    assert command in GATE


@pytest.mark.installs
@pytest.mark.parametrize("page", INSTALLING, ids=name_of)
def test_installation_commands_work_in_a_fresh_checkout(page: Path, tmp_path: Path) -> None:
    """They need only Python, and nothing of the environment of the tests."""
    checkout(tmp_path)
    ours = ("COV", "PYTHON", "PX_", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for example in filter(installs, parse_only(page)):
        commands = "\n".join(line for line in example.parsed.splitlines() if line not in GATE)
        bash(example, commands, limit=AN_HOUR, cwd=tmp_path, env=env)


# The page runner itself.


def page_of(text: str, scratch: Path) -> Path:
    page = scratch / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_share_their_state(tmp_path: Path) -> None:
    """A block sees the names, event loop, output, folder and environment variables of earlier blocks."""
    text = """\
```python
import asyncio
import os
from pathlib import Path

async def main() -> None:
    print("from a program")

asyncio.run(main())
```

<!-- invisible-code-block: python
assert shown == "from a program\\n"
os.environ["SAID"] = "from Python"
event = asyncio.Event()
-->

1. In a list:

   ```python
   await asyncio.sleep(0)
   event.set()
   ```

   ```sh
   echo "$SAID" | tee said.txt
   ```

<!-- invisible-code-block: python
assert shown == Path("said.txt").read_text() == "from Python\\n"
assert event.is_set()
assert __name__ == "__main__"
-->
"""
    before = (Path.cwd(), dict(os.environ))
    run_page(page_of(text, tmp_path), tmp_path)
    assert (Path.cwd(), dict(os.environ)) == before


def test_the_client_and_the_command_use_the_emulator(tmp_path: Path) -> None:
    """Both environments are the emulator, `PX_API_KEY` has its key, and another emulator can run as well."""
    text = """\
```sh
packagex-exports emulator
```

<!-- invisible-code-block: python
assert "The emulator is running" in shown and "It stops on Ctrl-C." in shown
-->

```sh
packagex-exports list --environment sandbox --json
```

<!-- invisible-code-block: python
import json
listed = [json.loads(line)["id"] for line in shown.splitlines()]
-->

```python
from packagex_async import AsyncPackageX

async with AsyncPackageX() as px:
    assert [export.id async for export in px.exports.list()] == listed
```

<!-- invisible-code-block: python
assert listed == [export.id for export in server.exports]
-->
"""
    run_page(page_of(text, tmp_path), tmp_path)


def test_a_failing_python_block_is_reported_with_its_line(tmp_path: Path) -> None:
    """The traceback contains the page and the line."""
    page = page_of("# Title\n\n```python\nx = 1\n\nassert x == 2\n```\n", tmp_path)
    with pytest.raises(AssertionError) as failed:
        run_page(page, tmp_path)
    last = failed.traceback[-1]
    assert (last.path, last.lineno + 1) == (page, 6)


def test_a_failing_shell_block_is_reported_with_its_line(tmp_path: Path) -> None:
    """The message contains the page, the line, the output and the exit code, whichever command failed."""
    page = page_of("# Title\n\n```sh\necho said; false | cat\necho never\n```\n", tmp_path)
    with pytest.raises(SybilFailure, match=r"page\.md, line 3,(.|\n)*said\nexit code 1") as failed:
        run_page(page, tmp_path)
    assert "never" not in str(failed.value)
