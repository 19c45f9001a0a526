"""The text of a report is readable for all outcomes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, cast

import pytest

from packagex_async import (
    Artifact,
    ChecksumError,
    DownloadedFile,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    ExportGoneError,
    ExportNotReadyError,
)
from packagex_async.report import ByArtifact


def file(artifact: Artifact, size: int, **fields: Any) -> DownloadedFile:
    """Return a file whose path looks the same on all systems."""
    path = cast(Any, PurePosixPath("exports", f"exp_1.{artifact}"))
    options: dict[str, Any] = {"verified": "checksum", **fields}
    return DownloadedFile(artifact=artifact, path=path, size=size, **options)


def failed(artifact: Artifact, reason: str) -> DownloadError:
    return ChecksumError(reason, export_id="exp_1", artifact=artifact)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            DownloadReport(
                export_id="exp_1",
                files=ByArtifact([file(Artifact.JSON, 1_234_567), file(Artifact.CSV, 45_600)]),
                missing=(Artifact.CSV_ERROR, Artifact.CSV_SANITIZED),
            ),
            [
                "export exp_1: 2 files, 1.2 MiB",
                "  json: exports/exp_1.json (1.2 MiB, checksum verified)",
                "  csv: exports/exp_1.csv (44.5 KiB, checksum verified)",
                "  csv_error: not offered",
                "  csv_sanitized: not offered",
            ],
        ),
        (
            DownloadReport(
                export_id="exp_1",
                files=ByArtifact([file(Artifact.CSV, 1, verified="none", resumed=True, attempts=3)]),
                failures=ByArtifact([failed(Artifact.JSON, "the hashes differ"), failed(Artifact.CSV, "x")]),
            ),
            [
                "export exp_1: 1 file, 1 byte, 2 failed",
                "  csv: exports/exp_1.csv (1 byte, not verified, resumed, 3 attempts)",
                "  json: failed: the hashes differ",
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
    ids=["complete", "partly failed", "deleted", "not ready", "empty"],
)
def test_the_text_of_a_report(report: DownloadReport, expected: list[str]) -> None:
    """One line for the export, and one for each artifact."""
    assert str(report).splitlines() == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_048_524, "1023.9 KiB"),
        (1_048_525, "1.0 MiB"),
        (5_368_709_120, "5.0 GiB"),
        (2**40 - 1, "1.0 TiB"),
        (2**50 * 3 // 2, "1,536.0 TiB"),
    ],
)
def test_a_size_has_few_digits(size: int, expected: str) -> None:
    """The exact number is in `DownloadedFile.size`."""
    report = DownloadReport(export_id="exp_1", files=ByArtifact([file(Artifact.CSV, size)]))
    assert str(report).startswith(f"export exp_1: 1 file, {expected}\n")


def test_outcomes_are_found_by_artifact() -> None:
    """A missing artifact is a `KeyError`, a missing index an `IndexError`."""
    csv, json = file(Artifact.CSV, 1), file(Artifact.JSON, 2)
    files = ByArtifact([json, csv])
    assert files["csv"] is files[Artifact.CSV] is files[1] is csv
    assert files[:1] == (json,)
    keys: list[object] = ["csv", Artifact.JSON, csv, "csv_error", Artifact.CSV_SANITIZED, 7]
    assert [key in files for key in keys] == [True, True, True, False, False, False]
    assert files.keys() == (Artifact.JSON, Artifact.CSV)
    assert files.values() == (json, csv)
    assert files.items() == ((Artifact.JSON, json), (Artifact.CSV, csv))
    assert files.get("csv") is files.get(Artifact.CSV, default=None) is csv
    assert files.get("csv_error") is None
    assert files.get("csv_error", json) is json
    with pytest.raises(KeyError):
        files["csv_error"]
    with pytest.raises(IndexError):
        files[2]


def test_the_failures_of_a_report_are_raised() -> None:
    """The error of the export as a whole has priority."""
    failures = ByArtifact([failed(Artifact.CSV, "x")])
    report = DownloadReport(export_id="exp_1", failures=failures)
    assert not report.ok
    with pytest.raises(DownloadGroupError, match="export exp_1: 1 artifact failed") as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    deleted = ExportGoneError("export exp_1 is gone", export_id="exp_1")
    report = DownloadReport(export_id="exp_1", failures=failures, error=deleted)
    assert not report.ok
    with pytest.raises(ExportGoneError):
        report.raise_for_failures()
    report = DownloadReport(export_id="exp_1")
    assert report.ok
    report.raise_for_failures()
