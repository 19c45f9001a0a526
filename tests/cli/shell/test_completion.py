"""Completion scripts run in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode

if sys.platform == "win32":
    pytest.skip("the shells run on Unix", allow_module_level=True)

import pty

CASES = {
    "packagex-exports li": "list",
    "packagex-exports list --environ": "--environment",
    "packagex-exports list --environment sand": "sandbox",
    "packagex-exports list --ca-file auth": "authority.pem",
    "packagex-exports verify exp": "exports",
    "packagex-exports completion fi": "fish",
    "packagex-exports cat exp_1 csv_e": "csv_error",
}
"""The last word of each command, completed."""

BASH = """\
source ./script
COMP_WORDS=($1)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_packagex_exports
echo "${COMPREPLY[@]}"
"""

LOAD_IN_ZSH = "autoload -Uz compinit; compinit -u -D; source ./script"

ZSHRC = """\
PROMPT=
finish() { print -r -- "${BUFFER% }" > result; exit }
zle -N finish
bindkey '^X' finish
bindkey '^I' complete-word
"""
"""Tab completes the command, and Ctrl-X writes it to a file."""

Complete = Callable[[str], str]


def complete_in_bash(command: str) -> str:
    """Return the last word of `command` after completion."""
    arguments = ["bash", "--norc", "-c", BASH, "bash", command]
    return subprocess.run(arguments, capture_output=True, check=True, text=True).stdout.strip()


def complete_in_zsh(command: str, start: str = LOAD_IN_ZSH) -> str:
    """Press Tab on a terminal; `start` is the start-up file of the shell."""
    Path(".zshrc").write_text(f"{start}\n{ZSHRC}")
    terminal, end = pty.openpty()
    environment = {**os.environ, "ZDOTDIR": ".", "TERM": "dumb"}
    arguments = ["zsh", "-d", "-i"]
    with subprocess.Popen(
        arguments, env=environment, stdin=end, stdout=end, stderr=end, start_new_session=True
    ):
        os.close(end)
        os.write(terminal, f"{command}\t\x18".encode())
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            os.close(terminal)
    return Path("result").read_text().split()[-1].rstrip("/")


def complete_in_fish(command: str) -> str:
    """Return the only completion."""
    script = "source script; complete --do-complete $argv[1]"
    arguments = ["fish", "--no-config", "--command", script, command]
    done = subprocess.run(arguments, capture_output=True, check=True, text=True)
    (line,) = done.stdout.splitlines()
    return line.partition("\t")[0].rstrip("/")


SHELLS: dict[str, Complete] = {
    "bash": complete_in_bash,
    "zsh": complete_in_zsh,
    "fish": complete_in_fish,
}


@pytest.fixture(params=SHELLS)
def shell(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """A shell whose completion script is the file `script`."""
    name: str = request.param
    if not shutil.which(name) and "CI" not in os.environ:
        pytest.skip(f"needs {name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "authority.pem").touch()
    (tmp_path / "exports").mkdir()
    assert main(["completion", name]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    return name


def test_commands_options_values_and_files_are_completed(shell: str) -> None:
    """The script works in the shell itself."""
    assert {command: SHELLS[shell](command) for command in CASES} == CASES


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
@pytest.mark.parametrize("word", ["my", r"my\ ex"])
def test_names_with_spaces(shell: str, word: str) -> None:
    """A name is one completion, also after its space was escaped."""
    Path("my exports").mkdir()
    script = """source ./script
        COMP_WORDS=(packagex-exports verify "$1"); COMP_CWORD=2
        _packagex_exports
        printf '%s|' "${COMPREPLY[@]}"
    """
    arguments = ["bash", "--norc", "-c", script, "bash", word]
    assert subprocess.run(arguments, capture_output=True, check=True, text=True).stdout == "my exports|"


START_FILES = {
    "without": "true",
    "with": "autoload -Uz compinit; compinit -D\n",
}


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
@pytest.mark.parametrize("content", START_FILES.values(), ids=START_FILES)
def test_installed_script_works_in_zsh(shell: str, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without a completion system in the start-up file. A second installation adds nothing."""
    for name in ("ZDOTDIR", "ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(name, raising=False)
    start_file = Path(".zshrc")
    start_file.write_text(content)
    assert main(["--install-completion", "zsh"]) == 0
    installed = start_file.read_text()
    assert installed.startswith(content)
    assert main(["--install-completion", "zsh"]) == 0
    assert start_file.read_text() == installed
    assert complete_in_zsh("packagex-exports li", installed) == "list"


@pytest.mark.parametrize("variable", ["ZSH", "ZSH_CUSTOM"])
def test_installation_with_oh_my_zsh(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the script, so the start-up file is not changed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, str(tmp_path / "oh-my-zsh"))
    (tmp_path / "oh-my-zsh").mkdir()
    assert main(["--install-completion", "zsh"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["oh-my-zsh"]


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", ".local/share/bash-completion/completions/packagex-exports"),
        ("zsh", ".zsh/completions/_cyclopts_packagex-exports"),
        ("fish", ".config/fish/completions/packagex-exports.fish"),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_installation(
    shell: str,
    path: str,
    is_named: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The script is written to the home directory. Without a name, the running shell is used."""
    for name in ("BASH_VERSION", "ZSH_VERSION", "FISH_VERSION", "ZSH", "ZSH_CUSTOM", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(f"{shell.upper()}_VERSION", "5")
    assert main(["--install-completion", *([shell] if is_named else [])]) == 0
    assert "packagex-exports" in (tmp_path / path).read_text()
    assert str(tmp_path / path) in capsys.readouterr().out


def test_installation_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No start-up file of the shell is changed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["--install-completion", "--shell", "bash", "--output", str(tmp_path / "a/b")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_unknown_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The hint says how to name it."""

    def fail() -> NoReturn:
        raise detect.ShellDetectionError

    from cyclopts.completion import detect

    monkeypatch.setattr(detect, "detect_shell", fail)
    assert main(["--install-completion"]) == ExitCode.USAGE
    assert "hint: name it: packagex-exports --install-completion" in capsys.readouterr().err
