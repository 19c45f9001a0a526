"""The source of a Parquet file, in its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packagex_async._files.operations import open_file
from packagex_async._parquet.source import Source, check_types, has_types, read_existing, stored_type
from packagex_async._storage.object_metadata import ObjectMetadata, Validators
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export, ExportResource

EXPORT = Export(id="exp_1", resource=ExportResource("contact"))
KNOWN = ObjectMetadata(
    size=7,
    length=7,
    hashes=frozenset({("md5", b"1" * 16)}),
    validators=Validators(etag='"1"', modified="now"),
)
SOURCE = Source.of(EXPORT, Artifact.CSV, KNOWN, "00" * 32, 7)


def test_metadata_of_a_file() -> None:
    """The metadata of a file contains its source."""
    metadata = {key.encode(): value.encode() for key, value in SOURCE.to_metadata(EXPORT).items()}
    found = Source.from_metadata(metadata)
    assert found is not None
    assert attrs.asdict(found) == attrs.asdict(SOURCE)
    assert metadata[b"packagex.created_at"] == b""


@pytest.mark.parametrize("metadata", [{}, {b"packagex.source_response": b"[]"}, {b"\xff": b""}])
def test_metadata_of_another_program(metadata: dict[bytes, bytes]) -> None:
    """The metadata of another program contains no source."""
    assert Source.from_metadata(metadata) is None


@pytest.mark.parametrize(
    ("changes", "verified"),
    [
        ({}, "checksum"),
        ({"hashes": frozenset({("md5", b"2" * 16)})}, None),
        ({"hashes": frozenset()}, "length"),
        ({"hashes": frozenset(), "size": None}, "none"),
        ({"hashes": frozenset(), "size": None, "validators": Validators()}, None),
        ({"hashes": frozenset(), "validators": Validators(etag='"2"')}, None),
        ({"hashes": frozenset(), "validators": Validators(modified="later")}, None),
        ({"hashes": frozenset(), "validators": Validators()}, "length"),
        ({"size": 8}, None),
    ],
)
def test_comparison(changes: dict[str, Any], verified: str | None) -> None:
    """A hash, the length or a validator identifies the artifact."""
    assert SOURCE.verify("exp_1", Artifact.CSV, attrs.evolve(KNOWN, **changes)) == verified


def test_other_artifact() -> None:
    """An artifact with the same content, but of another export or name, is not the source."""
    assert SOURCE.verify("exp_2", Artifact.CSV, KNOWN) is None
    assert SOURCE.verify("exp_1", Artifact.CSV_ERROR, KNOWN) is None


def test_existing_file(tmp_path: Path) -> None:
    """Other Parquet files have no source, and other files are not readable."""
    path = tmp_path / "a.parquet"
    assert read_existing(lambda: open_file(path)) is None
    path.write_bytes(b"PAR1")
    assert read_existing(lambda: open_file(path)) is None
    pq.write_table(pa.table({"a": ["1"]}), path)
    existing = read_existing(lambda: open_file(path))
    assert existing is not None
    assert (existing.rows, existing.source, existing.content) == (1, None, None)
    assert has_types(existing.schema, {})
    assert has_types(existing.schema, {"b": pa.int8()})
    assert not has_types(existing.schema, {"a": pa.int8()})


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (pa.int8(), pa.int8()),
        (pa.timestamp("s"), pa.timestamp("ms")),
        (pa.date64(), pa.date32()),
        (pa.decimal128(10, 2), pa.decimal128(10, 2)),
    ],
)
def test_type_that_parquet_lacks(given: pa.DataType, stored: pa.DataType) -> None:
    """The type of the column in the file is another one, which is recognized later."""
    assert stored_type(given) == stored
    assert has_types(pa.schema([("a", stored)]), {"a": given})


def test_type_without_a_parquet_type() -> None:
    """The error names the column."""
    check_types({"a": pa.int8()})
    with pytest.raises(ConfigurationError, match=r"column 'b' cannot have the type decimal128\(5, -2\)"):
        check_types({"a": pa.int8(), "b": pa.decimal128(5, -2)})
