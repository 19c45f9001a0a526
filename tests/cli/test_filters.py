"""The options of all commands that list exports."""

from __future__ import annotations

from packagex_async.cli.filters import FilterOptions
from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_every_filter_reaches_the_api(server: Emulator, cli: Cli) -> None:
    """Options have the API's names. Statuses may be repeated or separated by commas."""
    options = "--page 1 --limit 3 --order-by count_total --direction desc --resource contact --search conta"
    result = cli("list", *options.split(), "--statuses", "completed,queued", "--statuses", "failed")
    assert result.code == 0
    assert server.requests[0].query == {
        "page": "1",
        "limit": "3",
        "order_by": "count_total",
        "direction": "desc",
        "resource": "contact",
        "statuses": "completed,queued,failed",
        "search": "conta",
    }
    assert len(result.out.splitlines()) == 4


def test_arguments_have_the_names_of_the_methods() -> None:
    """Options without a value are `None`."""
    assert FilterOptions(resource="contact", statuses=["queued,failed"]).as_arguments() == {
        "resource": "contact",
        "statuses": ["queued", "failed"],
        "search": None,
        "order_by": None,
        "direction": None,
        "limit": 100,
    }
