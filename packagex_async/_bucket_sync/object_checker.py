"""Compare the objects of a bucket with its manifest objects. All calls are blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from packagex_async._bucket_sync.manifest_objects import read_manifest
from packagex_async._buckets.keys import MANIFESTS
from packagex_async._buckets.objects import BucketObjects, ObjectInfo
from packagex_async._sync.file_checker import FileState
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._utils.reprs import concise_repr


@attrs.frozen(kw_only=True, repr=False)
class CheckedObject:
    """One object of a bucket that was verified.

    Attributes:
        key: The complete key of the object in the bucket.
        state: Result of the comparison with the manifest objects.
        export_id: Id of the export; `None` if the object is not in a manifest object.
        artifact: Name of the artifact; likewise.
        size: Length in bytes; `None` if the object does not exist.
        expected_size: Length in bytes in the manifest object, if it is there.
    """

    key: str
    state: FileState
    export_id: str | None = None
    artifact: str | None = None
    size: int | None = None
    expected_size: int | None = None

    __repr__ = concise_repr


class ObjectChecker:
    """Compares the objects below a prefix with their manifest objects.

    Args:
        objects: The bucket.
        on_read: Called with the number of bytes of each block that was read; may raise to stop reading.
    """

    def __init__(self, objects: BucketObjects, on_read: Callable[[int], object]) -> None:
        self._objects = objects
        self._on_read = on_read
        self._listed: dict[str, ObjectInfo] = {}

    def manifest_names(self) -> list[str]:
        """List all objects; return the names of the manifest objects.

        Raises:
            BucketError: The bucket cannot be listed.
        """
        self._listed = self._objects.list()
        return [name for name in self._listed if name.startswith(MANIFESTS)]

    def entries(self, name: str) -> list[ManifestEntry]:
        """Return the entries of a manifest object that have an object.

        Raises:
            BucketError: It cannot be read.
        """
        found = read_manifest(self._objects, name).entries.values()
        return [entry for entry in found if entry.path is not None]

    def check(self, entry: ManifestEntry) -> CheckedObject:
        """Compare the object of `entry` with it.

        Raises:
            BucketError: The object cannot be read.
        """
        name = entry.path or ""
        info = self._listed.get(name)
        state = FileState.MISSING if info is None else FileState.CHANGED
        if info is not None and info.size == entry.size:
            digest = self._objects.digest(name, ("sha256",), self._on_read)
            if digest is None:
                state, info = FileState.MISSING, None
            elif entry.matches(digest):
                state = FileState.EXACT
        return CheckedObject(
            key=self._objects.key_of(name),
            state=state,
            export_id=entry.export_id,
            artifact=entry.artifact,
            size=None if info is None else info.size,
            expected_size=entry.size,
        )

    def unlisted_objects(self, paths: set[str]) -> Iterator[CheckedObject]:
        """Yield the objects that are not in `paths`, except manifest objects."""
        for name in sorted(self._listed.keys() - paths):
            if not name.startswith(MANIFESTS):
                yield CheckedObject(
                    key=self._objects.key_of(name),
                    state=FileState.UNLISTED,
                    size=self._listed[name].size,
                )
