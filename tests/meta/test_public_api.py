"""The public names, signatures and defaults."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys

import pytest

import packagex_async
from packagex_async import (
    Artifact,
    AsyncExports,
    AsyncPackageX,
    CsvFieldOptions,
    RetryPolicy,
    testing,
    verify_directory,
)


def signature(function: object) -> str:
    """Return the parameters with their defaults, without annotations."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            AsyncPackageX,
            "(api_key=None, *, environment='production', base_url=None, "
            "retry=RetryPolicy(attempts=5, wait_initial=0.5, wait_max=20.0, retry_after_max=120.0), "
            "timeout=60.0, stall_timeout=30.0, connector=None, proxy=None, ssl=None, trace_configs=(), "
            "bandwidth_limit=None)",
        ),
        (
            AsyncExports.list,
            "(self, *, page=1, limit=100, order_by=None, direction=None, resource=None, statuses=None, "
            "search=None, created_after=None, created_before=None, prefetch=16)",
        ),
        (
            AsyncExports.pages,
            "(self, *, page=1, limit=100, order_by=None, direction=None, resource=None, statuses=None, "
            "search=None, created_after=None, created_before=None, prefetch=16)",
        ),
        (AsyncExports.retrieve, "(self, export_id, *, include_csv=False, include_json=False)"),
        (
            AsyncExports.download,
            "(self, export, directory, *, artifacts=None, concurrency=4, overwrite=False, digest=None, "
            "on_progress=None, resume=False, require_verification=False, max_size=None, durability=None, "
            "segments=8, format=None, types=None, count_rows=False, dry_run=False)",
        ),
        (
            AsyncExports.download_all,
            "(self, directory, *, concurrency=16, resume=True, layout='flat', on_progress=None, "
            "verify=False, wait=False, on_wait=None, artifacts=None, order_by=None, direction=None, "
            "resource=None, statuses=None, search=None, created_after=None, created_before=None, limit=100, "
            "overwrite=False, require_verification=False, max_size=None, durability=None, segments=8, "
            "format=None, types=None, count_rows=False, exclude=None, prune_after=None, on_prune=None, "
            "dry_run=False, follow=False, interval=60.0, on_poll=None)",
        ),
        (
            AsyncExports.watch,
            "(self, *, interval=60.0, resource=None, statuses=None, search=None, created_after=None, "
            "created_before=None, limit=100)",
        ),
        (AsyncExports.stream, "(self, export, artifact)"),
        (AsyncExports.rows, "(self, export, artifact='csv')"),
        (AsyncExports.row_batches, "(self, export, artifact='csv', *, size=1000)"),
        (AsyncExports.create, "(self, resource, *, options=None, csv_field_options=None)"),
        (AsyncExports.wait, "(self, export, *, timeout=None, on_change=None)"),
        (
            AsyncExports.export_and_download,
            "(self, resource, directory, *, options=None, csv_field_options=None, timeout=None, "
            "on_change=None, artifacts=None, concurrency=4, overwrite=False, digest=None, on_progress=None, "
            "resume=False, require_verification=False, max_size=None, durability=None, "
            "segments=8, format=None, types=None, count_rows=False)",
        ),
        (CsvFieldOptions, "(*, timezone=None, datetime_format=None, columns=None)"),
        (verify_directory, "(directory, *, on_progress=None)"),
        (RetryPolicy, "(*, attempts=5, wait_initial=0.5, wait_max=20.0, retry_after_max=120.0)"),
    ],
)
def test_signatures(function: object, expected: str) -> None:
    """Names, order, keywords and defaults."""
    assert signature(function) == expected


def test_public_names() -> None:
    """`__all__`, `dir` and the imports for type checkers contain the same names."""
    assert dir(packagex_async) == sorted(packagex_async.__all__)
    for name in packagex_async.__all__:
        assert getattr(packagex_async, name) is not None
    source = inspect.getsource(packagex_async)
    declared = {
        line.split(" as ")[1] for line in source.splitlines() if line.startswith("    from packagex_async.")
    }
    assert declared | {"__version__"} == set(packagex_async.__all__)


def test_public_names_of_testing() -> None:
    """`__all__` and `dir` contain the same names."""
    assert dir(testing) == sorted(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name).__module__.startswith("packagex_async.testing.")


def test_help_of_download() -> None:
    """`help` shows arguments, result, errors and the names of the artifacts."""
    shown = pydoc.plain(pydoc.render_doc(AsyncExports.download))
    assert all(f'`"{word}"`' in shown for word in Artifact)
    for heading in ("Download the artifacts of an export", "Args:", "Returns:", "Raises:"):
        assert heading in shown


def test_unknown_name_is_attribute_error() -> None:
    """The message is that of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Exports'"):
        packagex_async.Exports  # noqa: B018


def test_import_is_lazy() -> None:
    """The package does not import aiohttp, and the client does not import optional dependencies."""
    script = (
        "import sys, packagex_async; assert 'aiohttp' not in sys.modules;"
        "packagex_async.AsyncPackageX('key');"
        "assert not {'rich', 'cyclopts', 'orjson', 'uvloop', 'google_crc32c', 'pytest'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_client_imports_the_modules_of_an_operation_at_its_first_call() -> None:
    """These modules would take a third of the import time of the client."""
    modules = ["report", "creation", "_api.list_query", "_files.operations", "_storage.download_url"]
    script = (
        "import sys, packagex_async; packagex_async.AsyncPackageX('key');"
        f"loaded = {{f'packagex_async.{{module}}' for module in {modules}}} & set(sys.modules);"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
