"""What `print(report)` shows: a line for the export, and one for each of its artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packagex_async._utils.redaction import escape, sanitize

if TYPE_CHECKING:
    from packagex_async.report import DownloadedFile, DownloadReport


def summary(report: DownloadReport) -> str:
    """The report as text, to be read by people."""
    lines = [f"export {sanitize(report.export_id)}: {', '.join(_sums(report))}"]
    # A path is the caller's own; what the server's text may add to it is escaped.
    lines += [
        f"  {file.artifact}: {escape(str(file.path))} ({', '.join(_facts(file))})" for file in report.files
    ]
    lines += [f"  {artifact}: not offered" for artifact in report.missing]
    lines += [f"  {error.artifact}: failed: {error.args[0]}" for error in report.failures]
    if report.error is not None:
        lines.append(f"  failed: {report.error}")
    return "\n".join(lines)


def _sums(report: DownloadReport) -> list[str]:
    sums = ["no files"]
    if report.files:
        sums = [_count(len(report.files), "file"), _size(sum(file.size for file in report.files))]
    if report.failures:
        sums.append(f"{len(report.failures)} failed")
    return sums


def _facts(file: DownloadedFile) -> list[str]:
    facts = [_size(file.size), "not verified" if file.verified == "none" else f"{file.verified} verified"]
    if file.kept:
        facts.append("kept")
    if file.resumed:
        facts.append("resumed")
    if file.attempts > 1:
        facts.append(f"{file.attempts} attempts")
    return facts


def _size(count: float) -> str:
    if count < 1000:
        return _count(int(count), "byte")
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        # What would be told as 1000.0 is 1.0 of the next unit.
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
