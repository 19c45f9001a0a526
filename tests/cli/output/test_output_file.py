"""The file of `--output`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from packagex_async import ConfigurationError
from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.output.output_file import open_binary_output, open_text_output


def test_file_appears_at_the_end(tmp_path: Path) -> None:
    """An existing file keeps its permissions. A symbolic link is followed."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with open_text_output(link) as file:
        file.write("ä\n")
        file.flush()
        assert target.read_text() == "old"
    assert target.read_bytes() == "ä\n".encode()
    assert (link.is_symlink(), target.stat().st_mode & 0o777) == (True, 0o600)
    assert sorted(tmp_path.iterdir()) == [link, target]


@pytest.mark.parametrize("content", [None, "old"])
def test_failure_changes_nothing(content: str | None, tmp_path: Path) -> None:
    """The hidden file is removed."""
    target = tmp_path / "target"
    if content:
        target.write_text(content)
    with pytest.raises(KeyboardInterrupt), open_text_output(target) as file:
        file.write("new")
        raise KeyboardInterrupt
    assert [path.read_text() for path in tmp_path.iterdir()] == ([content] if content else [])


def test_directory_that_appears_meanwhile(tmp_path: Path) -> None:
    """The hidden file is removed."""
    target = tmp_path / "target"
    with pytest.raises(OSError, match="directory"), open_binary_output(target):
        target.mkdir()
    assert list(tmp_path.iterdir()) == [target]


def test_invalid_paths(tmp_path: Path) -> None:
    """The message names the option and the path."""
    with pytest.raises(ConfigurationError, match="is a directory"), open_text_output(tmp_path):
        pass
    missing = tmp_path / "no" / "file"
    with pytest.raises(ConfigurationError, match=r"--output .*no/file cannot be created: No such"):
        with open_binary_output(missing):
            pass


def test_loop_of_links(tmp_path: Path) -> None:
    """It is found before the output exists."""
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(other)
    other.symlink_to(link)
    with pytest.raises(UsageError, match=r"--output .*link is a loop of symbolic links") as raised:
        with open_binary_output(link):
            pass
    assert raised.value.hint == "check the path and its permissions, or choose another one"


def test_devices_are_written_directly() -> None:
    """They are not replaced."""
    with open_binary_output(Path(os.devnull)) as file:
        file.write(b"x")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="the system has no /dev/fd")
def test_pipe_without_path() -> None:
    """Stdout may be a pipe: `--output /dev/stdout` writes to it."""
    reader, writer = os.pipe()
    try:
        with open_binary_output(Path(f"/dev/fd/{writer}")) as file:
            file.write(b"x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
        os.close(writer)


def test_dash_is_stdout() -> None:
    """So is the absence of the option."""
    for path in (None, Path("-")):
        with open_text_output(path) as file:
            assert file is sys.stdout
