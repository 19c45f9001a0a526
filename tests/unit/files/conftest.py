"""The threads that the tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from packagex_async._files.executor import FileExecutor


@pytest.fixture
async def executor() -> AsyncIterator[FileExecutor]:
    executor = FileExecutor(threads=2)
    yield executor
    executor.close()
    executor.close()
