"""The dlt source and its resource."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import dlt

from packagex_async.integrations.dlt._recorder import Recorder
from packagex_async.integrations.dlt.loading import load_exports
from packagex_async.integrations.dlt.names import EXPORT_ID, EXPORT_ROW
from packagex_async.integrations.dlt.parameters import SourceParameters
from packagex_async.integrations.dlt.recovery.tracker import register_tracker
from packagex_async.models import Artifact

SOURCE = "packagex"


def resource_name(artifact: Artifact) -> str:
    """Return the name of the resource for an artifact. Its state contains the loaded exports."""
    return "exports" if artifact is Artifact.CSV else f"exports_{artifact}"


def new_source(parameters: SourceParameters) -> Any:
    """Return a `DltSource` with one resource."""
    name = resource_name(parameters.artifact)
    key = (EXPORT_ID, EXPORT_ROW)
    register_tracker(key)

    # The parameters are not arguments, because dlt shows and records arguments.
    def exports() -> Generator[Any, None, None]:
        yield from load_exports(parameters, name)

    @dlt.source(name=SOURCE, section=SOURCE)
    def packagex() -> Any:
        resource = dlt.resource(
            exports, name=name, write_disposition="append", primary_key=key, merge_key=key
        )
        return resource.add_step(Recorder(name))

    return packagex()


def failures(pipeline_state: Mapping[str, Any], artifact: Artifact) -> dict[str, str]:
    """Return the failures of the last run, given the state of a pipeline."""
    resources = pipeline_state.get("sources", {}).get(SOURCE, {}).get("resources", {})
    return dict(resources.get(resource_name(artifact), {}).get("failed", {}))
