"""Validation of download options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, ConfigurationError
from packagex_async._concurrency.tuning import DEFAULT_SEGMENTS
from packagex_async._download.export import DownloadPlan
from packagex_async._download.plans import make_plan
from packagex_async._parquet.requested import parse_format

DEFAULTS: dict[str, Any] = {
    "artifacts": None,
    "concurrency": 4,
    "on_progress": None,
    "overwrite": False,
    "digest": None,
    "resume": False,
    "require_verification": False,
    "max_size": None,
    "durability": None,
    "segments": DEFAULT_SEGMENTS,
}


def plan_with(**options: Any) -> DownloadPlan:
    """Return the plan for `options`; others have their defaults."""
    return make_plan("exports", **DEFAULTS | options)


def test_options_are_converted() -> None:
    """`digest`, `durability` and `resume` become the options of each file."""
    options = plan_with(digest="sha256", durability="fsync", max_size=1, resume=True).options
    assert (options.sha256, options.durable, options.max_size, options.segments) == (True, True, 1, 8)
    assert options.partial_index is not None
    defaults = plan_with().options
    assert (defaults.sha256, defaults.durable, defaults.max_size) == (False, False, None)
    assert defaults.partial_index is None


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"digest": "md5"}, "digest must be 'sha256' or None, not 'md5'"),
        ({"durability": "flush"}, "durability must be 'fsync' or None, not 'flush'"),
        ({"max_size": 0}, "max_size must be 1 or more, not 0"),
        ({"segments": 0}, "segments must be 1 or more, not 0"),
        ({"segments": 17}, "segments must be 16 or less, not 17"),
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
    ],
)
def test_invalid_options(option: dict[str, Any], message: str) -> None:
    """The error names the option and its allowed values."""
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        plan_with(**option)


def test_plan_has_artifacts_in_a_fixed_order() -> None:
    """Duplicates are removed, and the default is all artifacts."""
    plan = plan_with(artifacts=["csv", "json", "csv"], concurrency=2)
    assert (plan.directory, plan.concurrency) == (Path("exports"), 2)
    assert plan.artifacts == (Artifact.JSON, Artifact.CSV)
    assert plan_with().artifacts == tuple(Artifact)


def test_types_without_a_csv_artifact() -> None:
    """They would have no effect."""
    for types in (None, dict[str, str]()):
        plan_with(artifacts="json", file_format=parse_format("parquet", types))
    types_of_columns = parse_format("parquet", {"a": "int8"})
    plan_with(artifacts=("json", "csv"), file_format=types_of_columns)
    with pytest.raises(ConfigurationError, match="types needs a CSV artifact"):
        plan_with(artifacts="json", file_format=types_of_columns)
