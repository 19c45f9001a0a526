"""Compare the decoding of 10,000 exports from response bodies to records with other libraries.

The exports come in pages of 100, in the API's envelope, with three signed URLs each. In each round, all
contenders run once, so that a slow moment affects all of them. Ratios are computed within a round. Our
decoder uses the code path of real responses, `ApiResponse.decode` and `parse_page`.

    python benchmarks/decoding.py --rounds 15
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from types import GenericAlias
from typing import Any
from unittest.mock import patch

import attrs
from export_pages import pages
from multidict import CIMultiDict

from packagex_async import ExportResource, ExportStatus
from packagex_async._api.responses import ApiResponse, parse_page
from packagex_async._utils import json as json_module

VARIANTS = {"the 14 known fields": 0, "1 unknown field more": 1, "3 unknown fields more": 3}
"""The number of fields of each export that the models do not know."""

PEERS = ("json.loads", "orjson.loads", "pydantic")
OURS = ("ours", "ours without orjson")

Decode = Callable[[bytes], Any]

_HEADERS = CIMultiDict[str]()


def _pydantic() -> Decode:
    """An envelope of exports with the same fields, enums and times, which keeps unknown fields."""
    library = importlib.import_module("pydantic")
    kinds = {
        "object": str, "resource": ExportResource, "status": ExportStatus, "name": str, "count_batches": int,
        "count_total": int, "created_at": datetime, "updated_at": datetime, "organization_id": str,
    }  # fmt: skip
    urls = ("json_url", "csv_url", "csv_error_url", "csv_sanitized_url")
    open_to_more = library.ConfigDict(extra="allow")
    export = library.create_model(
        "Export",
        __config__=open_to_more,
        id=str,
        **{name: (kind | None, None) for name, kind in kinds.items()},
        **{name: (str | None, library.Field(None, alias=f"_{name}")) for name in urls},
    )
    pagination = library.create_model("Pagination", has_more=bool, page=int, limit=int, total_count=int)
    envelope = library.create_model(
        "Envelope", __config__=open_to_more, data=GenericAlias(list, export), pagination=pagination
    )
    decode: Decode = envelope.model_validate_json
    return decode


def _ours(body: bytes) -> Any:
    return parse_page(ApiResponse.decode("GET /v1/exports", 200, _HEADERS, body)).load()


@contextmanager
def _without_orjson() -> Iterator[None]:
    with patch.dict(sys.modules, {"orjson": None}):
        json_module.orjson_loads.cache_clear()
        try:
            yield
        finally:
            json_module.orjson_loads.cache_clear()


@attrs.frozen
class Contender:
    """A decoder.

    Attributes:
        decode: Decodes the body of one page.
        around: A context manager for the duration of the decoding.
    """

    decode: Decode
    around: Callable[[], AbstractContextManager[None]] = nullcontext

    def seconds(self, bodies: list[bytes]) -> float:
        """Measure processor time, because nothing here waits."""
        gc.collect()
        with self.around():
            started_at = time.process_time()
            for body in bodies:
                self.decode(body)
            return time.process_time() - started_at


def _contenders() -> dict[str, Contender]:
    return {
        "json.loads": Contender(json.loads),
        "orjson.loads": Contender(importlib.import_module("orjson").loads),
        "pydantic": Contender(_pydantic()),
        "ours": Contender(_ours),
        "ours without orjson": Contender(_ours, _without_orjson),
    }


def _spread(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "min": ordered[0], "max": ordered[-1]}


def times(rounds: int, unknown: int) -> list[dict[str, float]]:
    """Return the seconds of processor time of each contender, round by round, after a warm-up round.

    Args:
        rounds: The number of rounds.
        unknown: The number of fields of each export that the models do not know.
    """
    contenders, bodies = _contenders(), pages(unknown)
    for contender in contenders.values():
        contender.seconds(bodies)
    return [{name: each.seconds(bodies) for name, each in contenders.items()} for _ in range(rounds)]


def _play(unknown: int, rounds: int) -> dict[str, Any]:
    played = times(rounds, unknown)
    return {
        "seconds": {name: _spread(seconds[name] for seconds in played) for name in played[0]},
        "ratios": {
            f"{ours} / {peer}": _spread(seconds[ours] / seconds[peer] for seconds in played)
            for ours in OURS
            for peer in PEERS
        },
    }


def measure(rounds: int) -> dict[str, Any]:
    """Time `rounds` rounds of every variant, after a warm-up round.

    Returns:
        For each variant, the seconds of processor time of each contender, and the ratios of our time to that
        of the others in the same round: median, min and max.
    """
    return {variant: _play(unknown, rounds) for variant, unknown in VARIANTS.items()}


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| fields | what | median | min-max |", "|---|---|---:|---:|"]
    for variant, results in figures.items():
        for what, scale, unit in (("seconds", 1000, " ms"), ("ratios", 1, "")):
            lines += [
                f"| {variant} | {name} | {scale * spread['median']:.2f}{unit}"
                f" | {scale * spread['min']:.2f}-{scale * spread['max']:.2f} |"
                for name, spread in results[what].items()
            ]
    return "\n".join(lines)


def main() -> None:
    """Run the command line, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="number of rounds")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.rounds)
    sys.stdout.write(table(figures) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
