"""The tagging API goes on to show, for a while, what it has shown once and what was deleted since.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

from local_cloud import lag
from local_cloud.lag import Remembered
from local_cloud.moto_patch import wrap

# By the account, the region, what was asked for and the ARN.
_shown: Remembered[tuple[str, str, str, str], TaggedResource] = Remembered(lambda: 3 * lag.SECONDS)


def install() -> None:
    """Have moto's tagging API lag."""

    @wrap(ResourceGroupsTaggingAPIBackend, "_get_resources_generator")
    def resources(self: Any, of_moto: Any, **asked: Any) -> Iterator[TaggedResource]:
        question = (self.account_id, self.region_name, repr(asked))
        there = {found.arn: found for found in of_moto(**asked)}
        gone = [found for key, found in _shown.items() if key[:3] == question and key[3] not in there]
        for arn, found in there.items():
            _shown.put((*question, arn), found)
        yield from [*there.values(), *gone]
