"""Former names of `tests.faults.scenario`."""

from tests.faults.scenario import TIMEOUT_SECONDS as PATIENCE

__all__ = ["PATIENCE"]
