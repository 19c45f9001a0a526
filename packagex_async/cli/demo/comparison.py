"""Compare downloaded files with the artifacts of the emulator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from packagex_async import DownloadedFile
from packagex_async.cli.display.tables import print_json, print_table
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.sizes import format_size

_COLUMNS = (
    Column("export", priority=0, required=True, min_width=12),
    Column("artifact", priority=1, required=True, min_width=13),
    Column("size", format_size, priority=3, right=True),
    Column("attempts", priority=4, right=True),
    Column("verified by", priority=6, min_width=8),
    Column("bytes", priority=2, required=True, min_width=9, styles={"NOT EQUAL": "red"}),
    Column("reason for retry", priority=5, min_width=16),
)


@attrs.frozen
class ComparedArtifact:
    """An artifact of the emulator, and the downloaded file.

    Attributes:
        export_id: The id of the export.
        artifact: The name of the artifact.
        content: The bytes that the emulator serves.
        retry_reasons: The error before each retry.
        file: The downloaded file, or `None` if the download failed.
    """

    export_id: str
    artifact: str
    content: bytes
    retry_reasons: Sequence[str]
    file: DownloadedFile | None

    @property
    def is_equal(self) -> bool:
        """Whether the file contains exactly the bytes that the emulator serves."""
        return self.file is not None and self.file.path.read_bytes() == self.content

    def to_record(self) -> dict[str, Any]:
        """Return the JSON record of the artifact."""
        return {
            "export_id": self.export_id,
            "artifact": self.artifact,
            "size": len(self.content),
            "attempts": self.file.attempts if self.file else None,
            "verified": self.file.verified if self.file else None,
            "equal": self.is_equal,
            "retried": list(self.retry_reasons),
            "path": self.file.path if self.file else None,
        }


def print_comparison_json(artifacts: Iterable[ComparedArtifact]) -> None:
    """Print one JSON object for each artifact."""
    for artifact in artifacts:
        print_json({"event": "compared"} | artifact.to_record())


def print_comparison(artifacts: Iterable[ComparedArtifact]) -> None:
    """Print a table with one row for each artifact."""
    print_table(_COLUMNS, map(_to_row, artifacts))


def _to_row(artifact: ComparedArtifact) -> list[object]:
    record = artifact.to_record()
    del record["path"]
    record |= {
        "equal": "equal" if record["equal"] else "NOT EQUAL",
        "retried": "; ".join(artifact.retry_reasons),
    }
    return list(record.values())
