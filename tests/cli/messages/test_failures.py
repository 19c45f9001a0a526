"""Errors on stderr have hints."""

from __future__ import annotations

import pytest

from packagex_async import ConfigurationError, ServerError
from packagex_async.cli.messages.failures import FailurePrinter, print_failure


def test_failure_has_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The second line is the hint."""
    print_failure(ConfigurationError("limit must be 1"))
    assert capsys.readouterr().err == (
        "packagex-exports: --limit must be 1\nhint: run the command with --help to see its options\n"
    )


def test_hints_are_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """A run with many failures prints each hint once."""
    printer = FailurePrinter()
    printer.print([ServerError("a", status=500), ServerError("b", status=500)])
    printer.print([ServerError("c", status=500)])
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "packagex-exports", "packagex-exports", "hint", "packagex-exports"
    ]  # fmt: skip
