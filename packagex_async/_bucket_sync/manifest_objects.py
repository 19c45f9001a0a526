"""The manifest of a bucket: one small object for each export, written after the objects of its artifacts.

All calls are blocking. Another process may write the same manifest object at any time, so it is replaced only
if it has not changed since it was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import attrs

from packagex_async._buckets.bucket_error import BucketError, ObjectChangedError
from packagex_async._buckets.keys import MANIFESTS
from packagex_async._buckets.objects import BucketObjects
from packagex_async._files.layouts import file_stem
from packagex_async._sync.manifest_entry import ManifestEntry

_MAX_SIZE = 1024 * 1024
_MAX_ATTEMPTS = 8

Entries = dict[tuple[str, str | None], ManifestEntry]
"""Entries by artifact and format."""


@attrs.frozen(eq=False, repr=False)
class ExportManifest:
    """The manifest object of one export.

    Attributes:
        entries: Its entries.
        exists: Whether the object exists.
        e_tag: The entity tag of the object.
    """

    entries: Entries
    exists: bool = False
    e_tag: str | None = None

    def find(self, artifacts: Iterable[str], formats: Mapping[str, str]) -> dict[str, ManifestEntry]:
        """Return the entry of each of the artifacts that have one.

        Args:
            artifacts: The names of the artifacts.
            formats: The formats of artifacts that are converted.
        """
        found = {name: self.entries.get((name, formats.get(name))) for name in artifacts}
        return {name: entry for name, entry in found.items() if entry is not None}


def manifest_name(export_id: str) -> str:
    """Return the name of the manifest object of an export."""
    return f"{MANIFESTS}{file_stem(export_id)}.json"


def read_manifest(objects: BucketObjects, name: str, export_id: str | None = None) -> ExportManifest:
    """Return a manifest object. It is empty if the object does not exist or is not readable.

    Args:
        objects: The bucket.
        name: The name of the object.
        export_id: The id of the export; `None` accepts every id.

    Raises:
        BucketError: The object cannot be read.
    """
    found = objects.read(name, _MAX_SIZE)
    if found is None:
        return ExportManifest({})
    content, e_tag = found
    return ExportManifest(_parse(content, export_id), exists=True, e_tag=e_tag)


def update_manifest(
    objects: BucketObjects,
    export_id: str,
    added: Iterable[ManifestEntry],
    current: ExportManifest | None = None,
) -> ExportManifest:
    """Add entries to the manifest object of an export, and keep the entries of other processes.

    Args:
        objects: The bucket.
        export_id: The export.
        added: The entries to add.
        current: The manifest object as it was read before; `None` reads it.

    Returns:
        The new manifest object.

    Raises:
        BucketError: The object cannot be written.
    """
    name = manifest_name(export_id)
    new_entries = {(entry.artifact, entry.format): entry for entry in added}
    for _ in range(_MAX_ATTEMPTS):
        current = current or read_manifest(objects, name, export_id)
        entries = current.entries | new_entries
        try:
            e_tag = objects.put(
                name, _dump(export_id, entries), expected=current.e_tag, create=not current.exists
            )
        except ObjectChangedError:
            current = None
            continue
        return ExportManifest(entries, exists=True, e_tag=e_tag)
    raise BucketError("other processes change the manifest object all the time", objects.url_of(name))


def _dump(export_id: str, entries: Entries) -> bytes:
    values = [entry.to_json() for entry in entries.values()]
    return json.dumps({"export_id": export_id, "entries": values}, indent=1).encode() + b"\n"


def _parse(content: bytes, export_id: str | None) -> Entries:
    try:
        values = json.loads(content)["entries"]
        entries = [ManifestEntry.from_json(value) for value in values]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return {
        (entry.artifact, entry.format): entry
        for entry in entries
        if entry is not None and export_id in (None, entry.export_id)
    }
