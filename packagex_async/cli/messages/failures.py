"""Print errors to stderr, each with a hint."""

from __future__ import annotations

from collections.abc import Iterable

from packagex_async.cli.display.tables import print_error, printable
from packagex_async.cli.messages.hints import error_hint, error_message
from packagex_async.cli.stdio import write_error

_MAX_HINT_LENGTH = 1000


class FailurePrinter:
    """Prints errors to stderr with their hints. A hint that was already printed is not repeated."""

    def __init__(self) -> None:
        self._hints: set[str] = set()

    def print(self, errors: Iterable[BaseException]) -> None:
        """Print the messages of errors, then their hints."""
        errors = list(errors)
        for error in errors:
            print_error(error_message(error))
        self.print_hints(errors)

    def print_hints(self, errors: Iterable[BaseException]) -> None:
        """Print the hints for errors, without their messages."""
        for hint in map(error_hint, errors):
            if hint not in self._hints:
                self._hints.add(hint)
                write_error(f"hint: {printable(hint, max_length=_MAX_HINT_LENGTH)}")


def print_failure(error: BaseException) -> None:
    """Print one error to stderr, and its hint on a second line."""
    FailurePrinter().print([error])
