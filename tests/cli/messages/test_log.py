"""`-v` prints the log of the SDK."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.cli.messages.log import log_to_stderr
from packagex_async.testing import Emulator, Status
from tests.cli.support import CANARY, Cli, add_small_export


@pytest.mark.parametrize(
    ("flag", "levels"), [("-v", {"INFO"}), ("-vv", {"DEBUG", "INFO"}), ("-vvv", {"DEBUG", "INFO"})]
)
def test_levels(
    flag: str, levels: set[str], empty: Emulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each line has time and level. No line contains a key or a signature."""
    export = add_small_export(empty)
    arguments = ["download", export.id, "--directory", str(tmp_path), "--base-url", empty.base_url]
    assert main([*arguments, flag]) == 0
    err = capsys.readouterr().err
    lines = [re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} ([A-Z]+) .+", line) for line in err.splitlines()]
    assert {line[1] for line in lines if line} == levels
    assert all(lines)
    assert not re.search(f"{CANARY}|ignature", err)


def test_without_the_option(empty: Emulator, cli: Cli) -> None:
    """Nothing is logged, and the level of the logger is restored."""
    assert cli("list", "-v").err == ""
    assert cli("list").err == ""
    assert logging.getLogger("packagex_async").level == logging.NOTSET


def test_option_before_the_command(empty: Emulator, cli: Cli) -> None:
    """It is accepted on every side, and by commands without a connection."""
    assert main(["-vv", "--base-url", empty.base_url, "list"]) == 0
    assert len(empty.requests) == 1


def test_retries_are_logged(empty: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """`-v` shows the reason of each retry."""
    empty.inject(Status(503, retry_after="0", on="api"))
    assert main(["list", "--base-url", empty.base_url, "-v"]) == 0
    assert re.search(r"WARNING .*503.*trying again in", capsys.readouterr().err)


def test_secrets_are_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Also in records of other modules. A record is one line."""
    with log_to_stderr(1):
        logging.getLogger("packagex_async.other").info("https://a/b?sig=%s\nforged", CANARY)
    err = capsys.readouterr().err
    assert CANARY not in err
    assert len(err.splitlines()) == 1
