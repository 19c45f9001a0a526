"""Former names of `tests.faults.storage_server`."""

from tests.faults.storage_server import yield_to_event_loop as turns

__all__ = ["turns"]
