"""What the pages show works: every block of Python and of shell commands runs, and what it claims holds."""

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
from tests.docs.pages import LANGUAGES, PAGES, ROOT, RUN, blocks, installs, is_shown, name_of, parse
from tests.docs.stage import bash, stage

AN_HOUR = 3600.0
WAITING = {"README.md", "nightly-job.md"}
"""The pages that wait for exports to be completed; on the others, the time that they take changes nothing."""


def lexed(page: Path) -> Document:
    """A page whose blocks are looked at, and not run."""
    return parse(page, python=lambda example: None, sh=lambda example: None)


def perform(page: Path, scratch: Path) -> None:
    """Run the blocks of a page before an emulator of its own."""
    pending = Life() if page.name in WAITING else None
    with serve_in_thread(Emulator(pending=pending)) as server, stage(server, scratch) as on:
        document = parse(page, python=on.python, sh=on.sh, text=on.text)
        document.namespace |= {"__name__": "__main__", "server": server}
        for example in document:
            example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    """All that it runs, from its first block to its last."""
    perform(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_of_a_page_hides(page: Path) -> None:
    """Each is of a language that is known, and all of those that can be run are run."""
    there = list(blocks(page.read_text(encoding="utf-8")))
    assert {language for _, language in there if not language.startswith("{")} <= LANGUAGES
    run = [
        (example.line, example.region.lexemes["arguments"]) for example in lexed(page) if is_shown(example)
    ]
    assert run == [(line, language) for line, language in there if language in RUN]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_comment_of_a_page_is_mistaken_for_a_block(page: Path) -> None:
    """What takes more than a line is a block that runs unseen: nothing is skipped, and nothing misspelt."""
    comments = re.findall(r"<!--.*?-->", page.read_text(encoding="utf-8"), re.DOTALL)
    heads = [comment.partition("\n")[0] for comment in comments if "\n" in comment]
    assert set(heads) <= {f"<!-- invisible-code-block: {language}" for language in RUN}
    assert len(heads) == len([example for example in lexed(page) if not is_shown(example)])


# What installs.

GATE = {line.removesuffix(" || exit") for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()}
INSTALLING = [page for page in PAGES if any(map(installs, lexed(page)))]


def checkout(folder: Path) -> None:
    """Copy what belongs to the project to `folder`."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: what belongs to the project is not known")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.rstrip("\0").split("\0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)


def test_the_gate_runs_what_the_readme_says_runs_the_tests() -> None:
    """Word for word, and before anything else; so it need not run once more below."""
    (command,) = [
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "nox" in line
    ]
    assert command in GATE


@pytest.mark.installs
@pytest.mark.parametrize("page", INSTALLING, ids=name_of)
def test_what_installs_works_on_a_fresh_checkout(page: Path, tmp_path: Path) -> None:
    """With the Python at hand, and nothing of the environment that the tests run in."""
    checkout(tmp_path)
    ours = ("COV", "PYTHON", "PX_", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for example in filter(installs, lexed(page)):
        commands = "\n".join(line for line in example.parsed.splitlines() if line not in GATE)
        bash(example, commands, patience=AN_HOUR, cwd=tmp_path, env=env)


# The stage itself.


def page_of(text: str, scratch: Path) -> Path:
    page = scratch / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_follow_each_other(tmp_path: Path) -> None:
    """Names, what is awaited, what was shown, the folder and the variables are those of the blocks before."""
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
    perform(page_of(text, tmp_path), tmp_path)
    assert (Path.cwd(), dict(os.environ)) == before


def test_the_client_and_the_command_meet_the_emulator(tmp_path: Path) -> None:
    """In both environments, with the key in the variable; another emulator can run beside."""
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
    perform(page_of(text, tmp_path), tmp_path)


def test_a_python_block_that_fails_is_told_with_page_and_line(tmp_path: Path) -> None:
    """Its traceback leads to the line of the page."""
    page = page_of("# Title\n\n```python\nx = 1\n\nassert x == 2\n```\n", tmp_path)
    with pytest.raises(AssertionError) as failed:
        perform(page, tmp_path)
    last = failed.traceback[-1]
    assert (last.path, last.lineno + 1) == (page, 6)


def test_a_shell_block_that_fails_is_told_with_page_and_line(tmp_path: Path) -> None:
    """And with what it wrote, whichever of its commands it was."""
    page = page_of("# Title\n\n```sh\necho said; false | cat\necho never\n```\n", tmp_path)
    with pytest.raises(SybilFailure, match=r"page\.md, line 3,(.|\n)*said\nexit code 1") as failed:
        perform(page, tmp_path)
    assert "never" not in str(failed.value)
