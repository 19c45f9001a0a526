"""The error for a record that cannot be converted."""

from __future__ import annotations

from packagex_async._arrow.malformed import MalformedRecordError
from packagex_async.models import Artifact


def test_public_error() -> None:
    """The public error names row and column."""
    error = MalformedRecordError("too long", row=3, column="a").error
    public = error.of_export("exp_1", Artifact.CSV)
    assert str(public) == "export exp_1, artifact csv: row 3, column 'a': too long"
    assert (public.row, public.column) == (3, "a")
