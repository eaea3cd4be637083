"""One thing that a caller has to be allowed, for one call of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from local_cloud.iam.policy import Context
from local_cloud.settings import ACCOUNT_ID


@dataclass(frozen=True, slots=True)
class Check:
    """An action on a resource, with the condition keys that the request carries for this resource."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def form_tags(form: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """The tags in a call of AWS's query protocol: the names of their parameters begin with a prefix."""
    for key, value in form.items():
        if key.startswith(prefix) and key.endswith(".Key"):
            yield value, form.get(f"{key.removesuffix('.Key')}.Value", "")


def listed_tags(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """The tags of a list of keys and values, as the calls of most services have it."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def passed_role(role: str, service: str) -> Check:
    """The right to hand a role, by its name or ARN, to a service such as ``glue.amazonaws.com``."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT_ID}:role/{role}"
    return Check("iam:PassRole", arn, {"iam:passedtoservice": (service,)})


def tag_conditions(own: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys of a resource's own tags and of those that a request gives it."""
    found = {f"aws:resourcetag/{key.lower()}": (value,) for key, value in own.items()}
    found |= {f"aws:requesttag/{key.lower()}": (value,) for key, value in asked.items()}
    return found | ({"aws:tagkeys": tuple(asked)} if asked else {})
