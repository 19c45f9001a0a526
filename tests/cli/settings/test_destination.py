"""Destinations of commands: paths and URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import Artifact, Bucket, BucketFile, ConfigurationError, DownloadedFile
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.messages.usage import UsageError
from packagex_async.cli.settings.destination import location_of, parse_destination
from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_destinations() -> None:
    """A path is a directory, and a URL is a bucket."""
    assert parse_destination("exports") == Path("exports")
    assert isinstance(parse_destination("memory://x"), Bucket)


@pytest.mark.parametrize("text", ["", "s3://", "ftp://x"])
def test_invalid_destinations(text: str) -> None:
    """An empty text and other URLs are errors."""
    with pytest.raises(ConfigurationError):
        parse_destination(text)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create a file, a loop of links, and a link to nothing, in the current directory."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nothing")


@pytest.mark.parametrize("path", ["file", "file/folder", "loop", "loop/folder", "dangling"])
def test_path_that_is_not_a_directory(path: str, paths: None) -> None:
    """The message names the file that is in the way."""
    message = f"^{path.split('/')[0]} is not a directory$"
    with pytest.raises(UsageError, match=message) as raised:
        parse_destination(path)
    assert raised.value.hint


@pytest.mark.parametrize(
    "command",
    ["sync", "download exp_1 -o", "create contact --download", "verify", "demo --directory"],
)
def test_file_instead_of_a_directory(command: str, paths: None, empty: Emulator, cli: Cli) -> None:
    """It is an error of usage. No request is sent, so `create` creates no export."""
    result = cli(*command.split(), "file")
    assert (result.code, result.out, empty.requests) == (ExitCode.USAGE, "", [])
    assert result.err == (
        "packagex-exports: file is not a directory\nhint: choose another directory, or move the file away\n"
    )


def test_locations() -> None:
    """A file has a path, and an object has a URL."""
    file = DownloadedFile(artifact=Artifact.CSV, path=Path("a.csv"), size=1, verified="length")
    stored = BucketFile(artifact=Artifact.CSV, key="a.csv", url="s3://b/a.csv", size=1, verified="length")
    assert location_of(file) == Path("a.csv")
    assert location_of(stored) == "s3://b/a.csv"
