"""Puts the catalog's calls into moto's Glue."""

from __future__ import annotations

from moto.glue import models
from moto.glue.responses import GlueResponse

from local_cloud.glue import functions, partitions, requests, statistics, tables
from local_cloud.moto_patch import calls


def install() -> None:
    """Puts them in. Calling it again changes nothing."""
    models.FakePartition = tables.Partition  # type: ignore[misc]  # moto's own is replaced, or has no types
    models.FakeTable = tables.Table  # type: ignore[misc]  # moto's own is replaced, or has no types
    GlueResponse.parameters = property(requests.folded)  # type: ignore[assignment,method-assign]  # moto's own is replaced, or has no types
    for name, handler in (calls(tables) | calls(partitions) | calls(functions) | statistics.HANDLERS).items():
        setattr(GlueResponse, name, requests.method(handler))
