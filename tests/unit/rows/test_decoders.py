"""Each artifact has its decoder."""

from __future__ import annotations

from packagex_async import Artifact
from packagex_async._rows.decoders import new_decoder


def test_decoder_of_artifact() -> None:
    """CSV rows are dicts of strings, and JSON records keep their types."""
    for artifact in (Artifact.CSV, Artifact.CSV_ERROR, Artifact.CSV_SANITIZED):
        assert new_decoder(artifact).feed(b"a\n1\n") == [{"a": "1"}]
    assert new_decoder(Artifact.JSON).feed(b"[1,") == [1]
