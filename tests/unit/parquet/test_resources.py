"""The memory for row groups is shared by all files."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from packagex_async._parquet.resources import LAST_GROUP_SIZE, MAX_MEMORY, ROW_GROUP_SIZE, Resources


def new_file(buffered: int, encoding: int = 0, *, has_groups: bool = False) -> Any:
    return SimpleNamespaceWithHash(buffered=buffered, encoding=encoding, has_groups=has_groups)


class SimpleNamespaceWithHash(SimpleNamespace):
    """A file with the attributes that count."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def test_one_file() -> None:
    """A row group of a single file has its full size, while a part of the next one is parsed."""
    resources = Resources()
    file = new_file(ROW_GROUP_SIZE - 1)
    resources.add(file)
    assert not resources.is_group_complete(file)
    file.buffered += 1
    assert resources.is_group_complete(file)
    file.buffered, file.encoding = MAX_MEMORY - ROW_GROUP_SIZE, ROW_GROUP_SIZE
    assert resources.is_exhausted
    assert not resources.is_group_complete(file)


def test_last_row_groups() -> None:
    """Before the end of a large file, half of the rest is written while the other half arrives."""
    resources = Resources()
    file = new_file(LAST_GROUP_SIZE, has_groups=True)
    resources.add(file)
    assert not resources.is_group_complete(file)
    assert not resources.is_group_complete(file, LAST_GROUP_SIZE + 1)
    assert resources.is_group_complete(file, LAST_GROUP_SIZE)
    file.encoding = 1
    assert not resources.is_group_complete(file, LAST_GROUP_SIZE)
    small = new_file(LAST_GROUP_SIZE - 1, has_groups=True)
    only = new_file(LAST_GROUP_SIZE)
    assert not resources.is_group_complete(small, 0)
    assert not resources.is_group_complete(only, LAST_GROUP_SIZE)


def test_several_files() -> None:
    """Row groups are smaller if the memory is used up."""
    resources = Resources()
    large, small = new_file(MAX_MEMORY // 2), new_file(MAX_MEMORY // 4)
    other = new_file(MAX_MEMORY // 4)
    for file in (large, small, other):
        resources.add(file)
    assert resources.is_group_complete(large)
    assert not resources.is_group_complete(small)
    resources.remove(other)
    assert not resources.is_exhausted
    assert not resources.is_group_complete(large)


def test_threads() -> None:
    """They end when there are no more files, and others start for the next file."""
    resources = Resources()
    first, second = new_file(0), new_file(0)
    resources.add(first)
    resources.add(second)
    pools = resources.parsers, resources.encoder
    threads = [pool.submit(threading.current_thread).result() for pool in pools]
    resources.remove(first)
    assert (resources.parsers, resources.encoder) == pools
    resources.remove(second)
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert resources.parsers.submit(threading.current_thread).result() not in threads
    resources.add(first)
    resources.remove(first)
