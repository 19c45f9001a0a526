"""An emulator of the Exports API and its storage for tests, with fault injection.

```python
async with Emulator(seed=7) as server, server.client() as px:
    server.inject(Cut(after=1000))
    report = await px.exports.download(server.exports[0].id, "exports/")
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packagex_async.testing.changes import Delete, Insert, Replace
    from packagex_async.testing.data.dialect import Dialect
    from packagex_async.testing.data.file_format import FileFormat
    from packagex_async.testing.data.lifetimes import Life
    from packagex_async.testing.data.store import StoredExport
    from packagex_async.testing.emulator import Emulator
    from packagex_async.testing.faults import (
        Cut,
        Fault,
        Garbage,
        LyingLength,
        Redirect,
        Refuse,
        Reset,
        Stall,
        Status,
        TargetedFault,
        Trickle,
    )
    from packagex_async.testing.object_faults import (
        Encoded,
        Expired,
        IgnoreRange,
        NoHash,
        NoTag,
        Transcoded,
        Undeclared,
        WrongHash,
        WrongRange,
    )
    from packagex_async.testing.server.request import RecordedRequest
    from packagex_async.testing.threads import serve_in_thread

__all__ = [
    "Cut", "Delete", "Dialect", "Emulator", "Encoded", "Expired", "Fault", "FileFormat", "Garbage",
    "IgnoreRange", "Insert", "Life", "LyingLength", "NoHash", "NoTag", "RecordedRequest", "Redirect",
    "Refuse", "Replace", "Reset", "Stall", "Status", "StoredExport", "TargetedFault", "Transcoded",
    "Trickle", "Undeclared", "WrongHash", "WrongRange", "serve_in_thread",
]  # fmt: skip

# Names are imported on first access (PEP 562), so that loading the pytest plugin stays fast.
_MODULES = {
    "changes": {"Delete", "Insert", "Replace"},
    "data.dialect": {"Dialect"},
    "emulator": {"Emulator"},
    "faults": {
        "Cut", "Fault", "Garbage", "LyingLength", "Redirect", "Refuse", "Reset", "Stall", "Status",
        "TargetedFault", "Trickle",
    },
    "data.file_format": {"FileFormat"},
    "data.lifetimes": {"Life"},
    "object_faults": {
        "Encoded", "Expired", "IgnoreRange", "NoHash", "NoTag", "Transcoded", "Undeclared", "WrongHash",
        "WrongRange",
    },
    "server.request": {"RecordedRequest"},
    "data.store": {"StoredExport"},
    "threads": {"serve_in_thread"},
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
