"""Validation of download options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, ConfigurationError
from packagex_async._download.options import DownloadOptions
from packagex_async._download.plans import MAX_SEGMENTS, make_options, make_plan

DEFAULTS: dict[str, Any] = {
    "overwrite": False,
    "digest": None,
    "partial_index": None,
    "require_verification": False,
    "max_size": None,
    "durability": None,
    "segments": MAX_SEGMENTS,
}


def test_options_are_converted() -> None:
    """`digest` and `durability` become flags."""
    given: dict[str, Any] = {"digest": "sha256", "durability": "fsync", "max_size": 1}
    options = make_options(**{**DEFAULTS, **given})
    assert (options.sha256, options.durable, options.max_size, options.segments) == (True, True, 1, 8)
    defaults = make_options(**DEFAULTS)
    assert (defaults.sha256, defaults.durable, defaults.max_size) == (False, False, None)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"digest": "md5"}, "digest must be 'sha256' or None, not 'md5'"),
        ({"durability": "flush"}, "durability must be 'fsync' or None, not 'flush'"),
        ({"max_size": 0}, "max_size must be 1 or more, not 0"),
        ({"segments": 0}, "segments must be 1 or more, not 0"),
        ({"segments": 9}, "segments must be 8 or less, not 9"),
    ],
)
def test_invalid_options(option: dict[str, Any], message: str) -> None:
    """The error names the option and its allowed values."""
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        make_options(**DEFAULTS | option)


def test_plan_has_artifacts_in_a_fixed_order(tmp_path: Path) -> None:
    """Duplicates are removed, and the default is all artifacts."""
    options = DownloadOptions()
    plan = make_plan(str(tmp_path), ["csv", "json", "csv"], 2, options, None)
    assert (plan.directory, plan.artifacts, plan.concurrency) == (tmp_path, (Artifact.JSON, Artifact.CSV), 2)
    assert make_plan(tmp_path, None, 1, options, None).artifacts == tuple(Artifact)


def test_concurrency_must_be_positive(tmp_path: Path) -> None:
    """The error names the option."""
    with pytest.raises(ConfigurationError, match=r"^concurrency must be 1 or more, not 0$"):
        make_plan(tmp_path, None, 0, DownloadOptions(), None)
