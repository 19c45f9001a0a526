"""The error of a row becomes an error of an export."""

from __future__ import annotations

from packagex_async import Artifact
from packagex_async._decoders.row_error import RowError


def test_error_of_export() -> None:
    """The message names export, artifact and row."""
    error = RowError(7, "it is not valid").of_export("exp_1", Artifact.CSV)
    assert str(error) == "export exp_1, artifact csv: row 7: it is not valid"
    assert (error.row, error.column) == (7, None)
    error = RowError(None, "it is not valid").of_export("exp_1", Artifact.JSON)
    assert (str(error), error.row) == ("export exp_1, artifact json: it is not valid", None)
