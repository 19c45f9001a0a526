"""The dlt source and its resource."""

from __future__ import annotations

from typing import Any

import dlt

from packagex_async.integrations.dlt.loading import load_exports
from packagex_async.integrations.dlt.names import EXPORT_ID, EXPORT_ROW
from packagex_async.integrations.dlt.parameters import SourceParameters
from packagex_async.integrations.dlt.recorder import Recorder
from packagex_async.models import Artifact

SOURCE = "packagex"


def resource_name(artifact: Artifact) -> str:
    """Return the name of the resource for an artifact. Its state contains the loaded exports."""
    return "exports" if artifact is Artifact.CSV else f"exports_{artifact}"


def new_source(parameters: SourceParameters) -> Any:
    """Return a `DltSource` with one resource."""
    name = resource_name(parameters.artifact)
    key = (EXPORT_ID, EXPORT_ROW)

    # The parameters are not arguments, because dlt shows and records arguments.
    @dlt.source(name=SOURCE, section=SOURCE)
    def packagex() -> Any:
        resource = dlt.resource(
            lambda: load_exports(parameters, name),
            name=name,
            write_disposition="append",
            primary_key=key,
            merge_key=key,
        )
        return resource.add_step(Recorder(name))

    return packagex()
