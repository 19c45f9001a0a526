"""`print(report)` reads well, whatever has happened."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, cast

import pytest

from packagex_async import (
    Artifact,
    ChecksumError,
    DownloadedFile,
    DownloadError,
    DownloadReport,
    ExportGoneError,
    ExportNotReadyError,
)
from packagex_async.report import ByArtifact


def file(artifact: Artifact, size: int, **facts: Any) -> DownloadedFile:
    """A file in a folder whose path looks the same everywhere."""
    path = cast(Any, PurePosixPath("exports", f"exp_1.{artifact}"))
    known: dict[str, Any] = {"verified": "checksum", **facts}
    return DownloadedFile(artifact=artifact, path=path, size=size, **known)


def failed(artifact: Artifact, why: str) -> DownloadError:
    return ChecksumError(why, export_id="exp_1", artifact=artifact)


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        (
            DownloadReport(
                export_id="exp_1",
                files=ByArtifact([file(Artifact.JSON, 1_234_567), file(Artifact.CSV, 45_600)]),
                missing=(Artifact.CSV_ERROR, Artifact.CSV_SANITIZED),
            ),
            [
                "export exp_1: 2 files, 1.3 MB",
                "  json: exports/exp_1.json (1.2 MB, checksum verified)",
                "  csv: exports/exp_1.csv (45.6 kB, checksum verified)",
                "  csv_error: not offered",
                "  csv_sanitized: not offered",
            ],
        ),
        (
            DownloadReport(
                export_id="exp_1",
                files=ByArtifact([file(Artifact.CSV, 1, verified="none", resumed=True, attempts=3)]),
                failures=ByArtifact(
                    [failed(Artifact.JSON, "its bytes are others"), failed(Artifact.CSV, "x")]
                ),
            ),
            [
                "export exp_1: 1 file, 1 byte, 2 failed",
                "  csv: exports/exp_1.csv (1 byte, not verified, resumed, 3 attempts)",
                "  json: failed: its bytes are others",
                "  csv: failed: x",
            ],
        ),
        (
            DownloadReport(
                export_id="exp_1",
                files=ByArtifact([file(Artifact.CSV, 0, verified="length", kept=True)]),
                error=ExportGoneError("export exp_1 is gone", export_id="exp_1"),
            ),
            [
                "export exp_1: 1 file, 0 bytes",
                "  csv: exports/exp_1.csv (0 bytes, length verified, kept)",
                "  failed: export exp_1 is gone",
            ],
        ),
        (
            DownloadReport(
                export_id="exp_1", error=ExportNotReadyError("export exp_1 is queued", export_id="exp_1")
            ),
            ["export exp_1: no files", "  failed: export exp_1 is queued"],
        ),
        (DownloadReport(export_id="exp_1"), ["export exp_1: no files"]),
    ],
    ids=["well", "half", "gone", "bulk", "nothing"],
)
def test_a_report_says_what_happened(report: DownloadReport, shown: list[str]) -> None:
    """A line for the export, and one for each of its artifacts."""
    assert str(report).splitlines() == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5_368_709_120, "5.4 GB"),
        (999_950_000_000, "1.0 TB"),
        (7_654_321_000_000_000, "7,654.3 TB"),
    ],
)
def test_many_bytes_are_told_in_few_digits(size: int, shown: str) -> None:
    """The number itself is the file's `size`."""
    report = DownloadReport(export_id="exp_1", files=ByArtifact([file(Artifact.CSV, size)]))
    assert str(report).startswith(f"export exp_1: 1 file, {shown}\n")
