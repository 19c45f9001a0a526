"""The file of the option `--output`. It appears when it is complete, or not at all."""

from __future__ import annotations

import io
import os
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.stdio import naming

_HINT = "check the path and its permissions, or choose another one"


@contextmanager
def open_text_output(path: Path | None) -> Generator[TextIO, None, None]:
    """Open the output of a command as UTF-8 text; `None` and `-` stand for stdout.

    Raises:
        UsageError: The file cannot be created.
    """
    if path is None or is_stdout(path):
        yield sys.stdout
        return
    with naming(str(path)), open_binary_output(path) as raw:
        text = open(raw.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115
        try:
            yield text
            text.flush()
        finally:
            # After an error, `close` tries to write the rest again.
            with suppress(OSError):
                text.close()


@contextmanager
def open_binary_output(path: Path) -> Generator[io.FileIO, None, None]:
    """Open a hidden file next to `path`. At the end of the block, it replaces `path`.

    If the block fails, the file is removed, and an existing `path` is unchanged. A device or a named pipe is
    written directly.

    Raises:
        UsageError: The file cannot be created.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UsageError(f"--output {path} is a directory", hint="append the name of a file")
    if target.is_symlink():
        raise UsageError(f"--output {path} is a loop of symbolic links", hint=_HINT)
    # The target of `/dev/stdout` may be a pipe, which has no path.
    if os.path.exists(path) and not os.path.isfile(path):
        with _open(path, path, "wb") as file:
            yield file
        return
    partial = target.with_name(f".packagex-{secrets.token_hex(6)}.part")
    with _open(path, partial, "xb") as file:
        try:
            yield file
            os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                partial.chmod(target.stat().st_mode & 0o7777)
        except BaseException:
            file.close()
            partial.unlink(missing_ok=True)
            raise
    try:
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def is_stdout(path: Path | None) -> bool:
    """Whether `--output` is not used, or is `-`."""
    return path is None or str(path) == "-"


def _open(path: Path, file: Path, mode: str) -> io.FileIO:
    try:
        return io.FileIO(file, mode)
    except OSError as error:
        raise UsageError(f"--output {path} cannot be created: {error.strerror}", hint=_HINT) from error
