"""The artifact from which a Parquet file was written, as recorded in the metadata of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, BinaryIO, Self

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from packagex_async._parquet.content import Content
from packagex_async._storage.object_metadata import Match, ObjectMetadata, Validators
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export
from packagex_async.report import Verified

_PREFIX = "packagex."


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Source:
    """An artifact that was converted to Parquet.

    Attributes:
        export_id: The id of the export.
        artifact: The artifact.
        sha256: The SHA-256 of the artifact in hexadecimal.
        size: The number of bytes of the artifact.
        hashes: The hashes that the storage host declared, in hexadecimal, by algorithm.
        validators: The values that identify the content.
    """

    export_id: str
    artifact: str
    sha256: str
    size: int
    hashes: dict[str, str]
    validators: Validators

    @classmethod
    def of(cls, export: Export, artifact: Artifact, metadata: ObjectMetadata, sha256: str, size: int) -> Self:
        """Return the source for an artifact that has arrived completely."""
        return cls(
            export_id=export.id,
            artifact=artifact.value,
            sha256=sha256,
            size=size,
            hashes={name: digest.hex() for name, digest in metadata.hashes},
            validators=metadata.validators,
        )

    def to_metadata(self, export: Export) -> dict[str, str]:
        """Return the metadata for the Parquet file. It contains no URL."""
        created_at = export.created_at.isoformat() if export.created_at else ""
        validators = attrs.asdict(self.validators, recurse=False)
        values = {
            "export_id": self.export_id,
            "artifact": self.artifact,
            "resource": str(export.resource or ""),
            "created_at": created_at,
            "source_sha256": self.sha256,
            "source_size": str(self.size),
            "source_response": json.dumps({"hashes": self.hashes, "validators": validators}),
        }
        return {_PREFIX + name: value for name, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes]) -> Self | None:
        """Read the metadata of a Parquet file; return `None` if it is from another program."""
        try:
            values = {key.decode().removeprefix(_PREFIX): value.decode() for key, value in metadata.items()}
            response: dict[str, Any] = json.loads(values["source_response"])
            return cls(
                export_id=values["export_id"],
                artifact=values["artifact"],
                sha256=values["source_sha256"],
                size=int(values["source_size"]),
                hashes={str(name): str(digest) for name, digest in response["hashes"].items()},
                validators=Validators.from_json(response["validators"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return None

    def verify(self, export_id: str, artifact: Artifact, current: ObjectMetadata) -> Verified | None:
        """Compare the source with an artifact; return how it was verified, or `None` if they differ.

        Args:
            export_id: The id of the export.
            artifact: The artifact.
            current: The metadata of the artifact in the response of the storage host.
        """
        if (self.export_id, self.artifact) != (export_id, artifact) or current.size not in (None, self.size):
            return None
        declared = {name: digest.hex() for name, digest in current.hashes}
        if common := declared.keys() & self.hashes.keys():
            is_equal = all(declared[name] == self.hashes[name] for name in common)
            return "checksum" if is_equal else None
        match = self.validators.compare(current.validators)
        if match in (Match.DIFFERENT, Match.WEAKLY_DIFFERENT):
            return None
        if current.size is not None:
            return "length"
        return "none" if match is Match.SAME else None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExistingParquet:
    """A Parquet file that exists.

    Attributes:
        rows: The number of rows.
        schema: The names and types of its columns.
        source: The artifact from which the file was written, or `None` if another program has written it.
        content: The bytes with which the file was written, or `None` likewise.
    """

    rows: int
    schema: pa.Schema
    source: Source | None
    content: Content | None


def check_types(types: Mapping[str, pa.DataType]) -> None:
    """Check that a Parquet file can have columns with these types.

    Raises:
        ConfigurationError: It cannot.
    """
    for column, data_type in types.items():
        try:
            stored_type(data_type)
        except (OSError, pa.ArrowException) as error:
            raise ConfigurationError(
                f"column {column!r} cannot have the type {data_type} in a Parquet file: {error}"
            ) from error


def has_types(schema: pa.Schema, types: Mapping[str, pa.DataType]) -> bool:
    """Return whether a Parquet file with this schema was written with these types, and all others as text."""
    return all(field.type == stored_type(types.get(field.name, pa.string())) for field in schema)


@cache
def stored_type(data_type: pa.DataType) -> pa.DataType:
    """Return the type of a column of a Parquet file, for which a type was given.

    They differ if Parquet lacks the type: a timestamp in seconds is stored in milliseconds.

    Raises:
        ArrowException: A Parquet file cannot have such a column.
        OSError: Likewise.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(pa.schema([("column", data_type)]).empty_table(), sink)
    return pq.read_schema(pa.BufferReader(sink.getvalue())).field(0).type


def read_existing(open_file: Callable[[], BinaryIO]) -> ExistingParquet | None:
    """Read the metadata of a Parquet file; return `None` if it is not a readable Parquet file.

    Args:
        open_file: Opens the file.
    """
    try:
        with open_file() as content, pq.ParquetFile(content) as file:
            values = file.metadata.metadata or {}
            return ExistingParquet(
                rows=file.metadata.num_rows,
                schema=file.schema_arrow,
                source=Source.from_metadata(values),
                content=Content.from_metadata(values),
            )
    except (OSError, pa.ArrowException):
        return None
