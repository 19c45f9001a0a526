"""Notices of requests that are repeated, and of renewed URLs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.cli.display.notices import Notice, NoticePrinter, ignore, listen
from packagex_async.testing import Emulator, Expired, Status
from tests.cli.support import ManualClock, Result, add_small_export


def retried(delay: float, text: str = "GET /v1/exports: answered 503") -> Notice:
    """Return the notice of a repeated request."""
    return Notice("request_retried", text, delay)


def test_each_episode_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends some seconds after the last attempt."""
    clock = ManualClock()
    printer = NoticePrinter(clock)
    for delay in (0.5, 1.0, 2.0):
        printer(retried(delay))
        clock.now += delay
    assert capsys.readouterr().err == (
        "packagex-exports: GET /v1/exports: answered 503; next attempt in 0.5 s\n"
    )
    clock.now += 60
    printer(retried(1.0, "other"))
    assert capsys.readouterr().err == "packagex-exports: other; next attempt in 1.0 s\n"


def test_long_delay_is_printed_within_an_episode(capsys: pytest.CaptureFixture[str]) -> None:
    """A server may request a long wait after some short ones."""
    printer = NoticePrinter(ManualClock())
    for delay in (0.5, 100.0, 100.0):
        printer(retried(delay))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "packagex-exports: GET /v1/exports: answered 503; next attempt in 100 s"
    ]


def test_inner_listener_replaces_the_outer(capsys: pytest.CaptureFixture[str]) -> None:
    """Other log records are not notices, and afterwards nothing listens."""
    logger = logging.getLogger("packagex_async")
    handlers = list(logger.handlers)
    heard: list[Notice] = []
    outer: list[Notice] = []
    record = {"event": "urls_renewed", "reason": "renewed", "delay": None}
    with listen(outer.append):
        with listen(heard.append):
            logger.warning("no notice")
            logger.warning("renewed", extra=record)
        with listen(ignore), listen(NoticePrinter()):
            logger.warning("renewed", extra=record)
        assert outer == []
        logger.warning("renewed", extra=record)
    assert heard == outer == [Notice("urls_renewed", "renewed", None)]
    assert capsys.readouterr().err == ""
    assert logger.handlers == handlers


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Result:
    """Run a command that succeeds, with the default number of attempts."""
    code = main(arguments)
    captured = capsys.readouterr()
    assert code == 0
    return Result(code, captured.out, captured.err).check_secrets()


@pytest.mark.parametrize(("options", "lines"), [([], 1), (["--quiet"], 0), (["-q"], 0)])
def test_retries_are_printed_unless_quiet(
    options: list[str], lines: int, empty: Emulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The line contains the status and the delay."""
    export = add_small_export(empty)
    empty.inject(Status(503, on="api", retry_after="0"))
    arguments = ["download", export.id, "--directory", str(tmp_path), "--base-url", empty.base_url, *options]
    result = run(arguments, capsys)
    assert result.err.count("503") == result.err.count("next attempt in") == lines


def test_sync_reports_retries_and_renewed_urls(
    empty: Emulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """They are lines on stderr, or events in JSON."""
    export = add_small_export(empty)
    records: list[dict[str, object]] = []
    for folder, options in (("lines", []), ("events", ["--json"])):
        empty.inject(Status(503, on="api", retry_after="0"))
        empty.inject(Expired(artifact="csv"))
        arguments = ["sync", str(tmp_path / folder), "--base-url", empty.base_url, *options]
        result = run(arguments, capsys)
        if options:
            records = result.records
        else:
            assert result.err.count("next attempt in") == 1
            assert f"export {export.id}: its links had expired, and were renewed" in result.err
    (retry,) = [record for record in records if record["event"] == "request_retried"]
    assert "503" in str(retry["reason"])
    assert isinstance(retry["delay"], float)
    (renewed,) = [record for record in records if record["event"] == "urls_renewed"]
    assert renewed["delay"] is None
