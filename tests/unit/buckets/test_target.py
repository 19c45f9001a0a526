"""The object of an artifact."""

from __future__ import annotations

from obstore.store import MemoryStore

from packagex_async import Artifact
from packagex_async._buckets.target import ObjectTarget
from tests.unit.buckets.test_objects import new_objects


async def test_converted_artifact() -> None:
    """An output becomes an object, which can be read and hashed."""
    target = ObjectTarget(new_objects(MemoryStore()), "a.csv", "0")
    assert (target.name, target.e_tag) == ("memory:///x/y-a.csv", "0")
    output = target.new_output()
    output.create()
    output.write(b"a\n")
    output.publish(overwrite=False, durable=False)
    output.discard()
    assert target.open().read() == b"a\n"
    digest = await target.digest(["md5"])
    assert digest is not None
    target.remove_partials(None)
    file = target.new_file(artifact=Artifact.CSV, size=digest.size, verified="length")
    assert (file.key, file.url, file.size) == ("x/y-a.csv", "memory:///x/y-a.csv", 2)
