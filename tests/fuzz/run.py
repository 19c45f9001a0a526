"""Run a fuzz target with atheris: `python -m tests.fuzz.run TARGET [SECONDS]`."""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

# atheris has no type information.
atheris: Any = import_module("atheris")

with atheris.instrument_imports(include=["packagex_async"]):
    from tests.fuzz.targets import SEEDS, TARGETS


def main() -> None:
    """Fuzz for the given time; an input that violates a property ends the run with an error."""
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={corpus}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
