"""An index of the partial files in directories, so that each directory is not listed for each file."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path

from packagex_async._partials.partial_names import parse_name, shorten

_MAX_LISTINGS = 1000
"""Maximum number of directories in the index, because a run may never end."""


class _Listing:
    """The content of a directory.

    Attributes:
        partials: The partial files by the names of their targets, even if only their metadata exists.
        suffixes: The suffixes of all names, in lower case.
    """

    def __init__(self) -> None:
        self.partials: defaultdict[str, set[Path]] = defaultdict(set)
        self.suffixes: set[str] = set()


class PartialIndex:
    """The content of directories when a run used them first, or first after `clear`.

    A directory that cannot be listed counts as one without partial files; writing to it raises the error.
    """

    def __init__(self) -> None:
        self._listings: dict[str, _Listing | None] = {}
        self._lock = threading.Lock()

    def find(self, target: Path) -> list[Path]:
        """Return the paths of the partial files of `target`."""
        directory, name = os.path.split(target)
        listing = self._listing(directory)
        return sorted(listing.partials.get(shorten(name), ())) if listing else []

    def may_exist(self, target: Path) -> bool:
        """Return whether `target` may exist: `False` if its directory had no file with its suffix."""
        directory, name = os.path.split(target)
        listing = self._listing(directory)
        return listing is None or _suffix(name) in listing.suffixes

    def clear(self) -> None:
        """Forget the content of all directories."""
        with self._lock:
            self._listings.clear()

    def _listing(self, directory: str) -> _Listing | None:
        with self._lock:
            if directory not in self._listings:
                if len(self._listings) >= _MAX_LISTINGS:
                    self._listings.clear()
                self._listings[directory] = _list_directory(Path(directory))
            return self._listings[directory]


def _list_directory(directory: Path) -> _Listing | None:
    listing = _Listing()
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                listing.suffixes.add(_suffix(entry.name))
                if found := parse_name(entry.name):
                    target_name, partial_name = found
                    listing.partials[target_name].add(directory / partial_name)
    except FileNotFoundError:
        return listing
    except OSError:
        return None
    return listing


def _suffix(name: str) -> str:
    # Some file systems ignore case.
    return name.rpartition(".")[2].casefold()
