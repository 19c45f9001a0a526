"""Decoding 10,000 exports, from the bytes of answers to models, beside what one would compare it with.

The exports come in pages of 100, in the API's envelope, with three signed URLs each. Everything is timed in
rounds, one contender after the other in each, so that a slow moment strikes them all alike; the ratios are
taken within a round. Ours goes the way of a real answer, `ApiResponse.of` and `parse_page`.

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
"""How many fields of each export the models do not know."""

PEERS = ("json.loads", "orjson.loads", "pydantic")
OURS = ("ours", "ours without orjson")

Decode = Callable[[bytes], Any]

_HEADERS = CIMultiDict[str]()


def _pydantic() -> Decode:
    """An envelope of exports with the same fields, enums and times, that keeps what it does not know."""
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
    return parse_page(ApiResponse.of("GET /v1/exports", 200, _HEADERS, body)).page()


@contextmanager
def _without_orjson() -> Iterator[None]:
    with patch.dict(sys.modules, {"orjson": None}):
        json_module.orjson.cache_clear()
        try:
            yield
        finally:
            json_module.orjson.cache_clear()


@attrs.frozen
class Contender:
    """One way to decode.

    Attributes:
        decode: Decodes the body of one page.
        context: Opened during the measurement.
    """

    decode: Decode
    context: Callable[[], AbstractContextManager[None]] = nullcontext

    def seconds(self, bodies: list[bytes]) -> float:
        """How long the processor takes: nothing here waits."""
        gc.collect()
        with self.context():
            began = time.process_time()
            for body in bodies:
                self.decode(body)
            return time.process_time() - began


def _contenders() -> dict[str, Contender]:
    return {
        "json.loads": Contender(json.loads),
        "orjson.loads": Contender(importlib.import_module("orjson").loads),
        "pydantic": Contender(_pydantic()),
        "ours": Contender(_ours),
        "ours without orjson": Contender(_ours, _without_orjson),
    }


def _spread(values: Iterable[float]) -> dict[str, float]:
    times = sorted(values)
    return {"median": statistics.median(times), "min": times[0], "max": times[-1]}


def times(rounds: int, unknown: int) -> list[dict[str, float]]:
    """The seconds of processor time that each contender took, round by round, after one that does not count.

    Args:
        rounds: How many rounds count.
        unknown: How many fields of each export the models do not know.
    """
    contenders, bodies = _contenders(), pages(unknown)
    for contender in contenders.values():
        contender.seconds(bodies)
    return [{name: each.seconds(bodies) for name, each in contenders.items()} for _ in range(rounds)]


def _run_variant(unknown: int, rounds: int) -> dict[str, Any]:
    measured = times(rounds, unknown)
    return {
        "seconds": {name: _spread(times[name] for times in measured) for name in measured[0]},
        "ratios": {
            f"{ours} / {peer}": _spread(times[ours] / times[peer] for times in measured)
            for ours in OURS
            for peer in PEERS
        },
    }


def measure(rounds: int) -> dict[str, Any]:
    """Time `rounds` rounds of every variant, after one that does not count.

    Returns:
        For each variant, the seconds of processor time that each contender took, and the ratios of ours to
        its peers' in the same round: median, min and max.
    """
    return {variant: _run_variant(unknown, rounds) for variant, unknown in VARIANTS.items()}


def table(figures: Mapping[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = ["| fields | what | median | min-max |", "|---|---|---:|---:|"]
    for variant, times in figures.items():
        for what, scale, unit in (("seconds", 1000, " ms"), ("ratios", 1, "")):
            lines += [
                f"| {variant} | {name} | {scale * spread['median']:.2f}{unit}"
                f" | {scale * spread['min']:.2f}-{scale * spread['max']:.2f} |"
                for name, spread in times[what].items()
            ]
    return "\n".join(lines)


def main() -> None:
    """Measure as the command line says, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="how often each contender decodes everything")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    figures = measure(options.rounds)
    sys.stdout.write(table(figures) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
