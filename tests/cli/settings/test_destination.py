"""Destinations of commands: paths and URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import Artifact, Bucket, BucketFile, ConfigurationError, DownloadedFile
from packagex_async.cli.settings.destination import location_of, parse_destination


def test_destinations() -> None:
    """A path is a directory, and a URL is a bucket."""
    assert parse_destination("exports") == Path("exports")
    assert isinstance(parse_destination("memory://x"), Bucket)


@pytest.mark.parametrize("text", ["", "s3://", "ftp://x"])
def test_invalid_destinations(text: str) -> None:
    """An empty text and other URLs are errors."""
    with pytest.raises(ConfigurationError):
        parse_destination(text)


def test_locations() -> None:
    """A file has a path, and an object has a URL."""
    file = DownloadedFile(artifact=Artifact.CSV, path=Path("a.csv"), size=1, verified="length")
    stored = BucketFile(artifact=Artifact.CSV, key="a.csv", url="s3://b/a.csv", size=1, verified="length")
    assert location_of(file) == Path("a.csv")
    assert location_of(stored) == "s3://b/a.csv"
