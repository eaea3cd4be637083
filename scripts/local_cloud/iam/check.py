"""One thing that a caller has to be allowed, for one call of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Check:
    """An action on a resource, with the condition keys that the request carries for this resource."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def tag_conditions(own: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys of a resource's own tags and of those that a request gives it."""
    found = {f"aws:resourcetag/{key.lower()}": (value,) for key, value in own.items()}
    found |= {f"aws:requesttag/{key.lower()}": (value,) for key, value in asked.items()}
    return found | ({"aws:tagkeys": tuple(asked)} if asked else {})
