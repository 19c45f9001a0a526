"""The commands `completion` and `--install-completion`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from packagex_async.cli.display.tables import print_line
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.stdio import require_stdout

Shell = Literal["bash", "zsh", "fish"]

_ZSH_END = """
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
  _cyclopts_packagex-exports "$@"
else
  compdef _cyclopts_packagex-exports packagex-exports
fi
"""
"""The script of cyclopts only works as a file with its name in $fpath. This makes it work in any file."""

_ZSH_START = """\
# Completion of packagex-exports
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
"""

_BASH_FILES = 'COMPREPLY=( $(compgen -f -- "${cur}") )'
_BASH_FILES_WITH_SPACES = (
    "local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=( $(compgen -f -- \"${cur//\\\\/}\") )"
)
"""The script of cyclopts splits names of files at spaces."""


def completion(shell: Shell, /) -> int:
    """Print the completion script of a shell.

    The command packagex-exports --install-completion installs it.

    Args:
        shell: bash, zsh or fish.
    """
    require_stdout()
    sys.stdout.write(_script(shell))
    return ExitCode.OK


def install_completion(
    shell: Shell | None = None,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> int:
    """Install the completion script of a shell in the home directory.

    Args:
        shell: bash, zsh or fish. Default: the shell that runs the command.
        output: Write the script to this file, and change no start-up file of the shell.
    """
    from packagex_async.cli.app import app

    shell = shell or _running_shell()
    is_bash = shell == "bash"
    path = app.install_completion(shell=shell, output=output, add_to_startup=output is None and is_bash)
    path.write_text(_script(shell), encoding="utf-8")
    print_line(f"The completion script is installed: {path}")
    if shell == "zsh" and output is None:
        _load_in_zsh(path)
    print_line("Start a new shell to use it.")
    return ExitCode.OK


def _load_in_zsh(path: Path) -> None:
    """Let the start-up file of zsh load a completion script, unless Oh My Zsh finds it.

    Many start-up files do not initialize the completion system, and some distributions initialize it before
    the start-up file can name another directory.
    """
    if path.parent != Path.home() / ".zsh/completions":
        return
    file = Path(os.environ.get("ZDOTDIR") or Path.home(), ".zshrc")
    lines = f"{_ZSH_START}[[ -r {shlex.quote(str(path))} ]] && source {shlex.quote(str(path))}\n".encode()
    content = file.read_bytes() if file.exists() else b""
    if lines not in content:
        end = b"\n" if content and not content.endswith(b"\n") else b""
        with file.open("ab") as stream:
            stream.write(end + lines)
    print_line(f"{file} loads it.")


def _script(shell: Shell) -> str:
    from packagex_async.cli.app import app

    script = app.generate_completion(shell=shell).replace(_BASH_FILES, _BASH_FILES_WITH_SPACES)
    return f"{script}{_ZSH_END}" if shell == "zsh" else script


def _running_shell() -> Shell:
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        shell = detect_shell()
    except ShellDetectionError:
        shell = None
    if shell is None or shell == "powershell":
        raise UsageError(
            "the shell is not known", hint="name it: packagex-exports --install-completion bash, zsh or fish"
        )
    return shell
