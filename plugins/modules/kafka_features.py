#!/usr/bin/python
"""Ansible module: lets a cluster without ZooKeeper use the features of a release of Kafka."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import ask
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_features import METADATA, RELEASES

with contextlib.suppress(ImportError):
    from kafka.errors import (
        FeatureUpdateFailedError,
        InvalidRequestError,
        InvalidUpdateVersionError,
        NoError,
        for_code,
    )
    from kafka.protocol.admin import UpdateFeaturesRequest

DOCUMENTATION = r"""
module: kafka_features
short_description: Let a cluster without ZooKeeper use the features of a release
description:
  - What C(kafka-features.sh upgrade --release-version) does. Every broker and controller must run that release or a
    newer one; otherwise the controllers refuse it, and nothing is changed. There is no way back.
  - A feature whose level is higher already keeps it.
options:
  release: {description: "The release, such as 4.3.", type: str, required: true}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Use the features of Kafka 4.3
  stock_market.streaming.kafka_features:
    release: "4.3"
    bootstrap_servers: [203.0.113.7:9092]
"""

RETURN = r"""
features: {description: "The level of each feature in use, by its name.", type: dict, returned: success}
"""

# As Kafka numbers the ways of a change of levels.
_UPGRADE = 1


def raised(now: dict[str, int], release: str) -> dict[str, int]:
    """Return the levels that the release has and that are higher than those in use, the metadata's first.

    Raises:
        RefusedError: the release is not known.
    """
    if release not in RELEASES:
        raise RefusedError(f"The features of Kafka {release} are not known here: {', '.join(RELEASES)} are.")
    wanted = {name: level for name, level in RELEASES[release].items() if level > now.get(name, 0)}
    return dict(sorted(wanted.items(), key=lambda item: item[0] != METADATA))


def refusal(admin: Any, wanted: dict[str, int], timeout: int, *, validate_only: bool) -> str:
    """Ask for these levels, or only whether they could be had; return in Kafka's words why not, or nothing."""
    updates = [
        UpdateFeaturesRequest.FeatureUpdateKey(
            feature=name, max_version_level=level, allow_downgrade=False, upgrade_type=_UPGRADE
        )
        for name, level in wanted.items()
    ]
    request = UpdateFeaturesRequest(
        timeout_ms=timeout * 1000, feature_updates=updates, validate_only=validate_only, min_version=1
    )
    answer = ask(admin, request)
    said = []
    # Before Kafka 4 each feature has an answer of its own.
    for told in [answer, *(answer.get("results") or [])]:
        error = for_code(told["error_code"])
        if error in (FeatureUpdateFailedError, InvalidRequestError, InvalidUpdateVersionError):
            said.append(str(told["error_message"] or error.description).rstrip("."))
        elif error is not NoError:
            raise error(told["error_message"])
    return "; ".join(said)


def in_use(admin: Any) -> dict[str, int]:
    """Return the level of each feature in use, as a broker knows it."""
    found = admin.describe_features()
    return {name: each["finalized"][1] for name, each in found.items() if "finalized" in each}


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    release, timeout = module.params["release"], module.params["timeout"]
    first: dict[str, int] = {}

    def work(admin: Any) -> dict[str, int]:
        now = in_use(admin)
        first.update({name: level for name, level in now.items() if name not in first})
        wanted = raised(now, release)
        # First only the question, so that none is raised where another can't be.
        for validate_only in (True, False) if wanted else ():
            if module.check_mode and not validate_only:
                break
            words = refusal(admin, wanted, timeout, validate_only=validate_only)
            if words:
                raise RefusedError(
                    f"The controllers refuse the features of Kafka {release}, and nothing was changed: {words}."
                )
        if not module.check_mode:
            otherwise = (
                f"The controllers took the features of Kafka {release}, but after {timeout} s a broker does not know "
                "them: see make status."
            )
            kafka_admin.wait_for(lambda: not raised(in_use(admin), release), timeout, otherwise)
        return now | wanted

    after = kafka_admin.persistently(module, f"the features of Kafka {release}", work)
    module.exit_json(
        changed=after != first,
        features=after,
        diff=kafka_admin.diff(
            "features",
            "".join(f"{name}: {level}\n" for name, level in sorted(first.items()) if after[name] != level),
            "".join(f"{name}: {level}\n" for name, level in sorted(after.items()) if first.get(name) != level),
        ),
    )


if __name__ == "__main__":
    main()
