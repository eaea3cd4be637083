"""The filters kafka_migration and kafka_migration_gaps: how far a deployment is from ZooKeeper to KRaft."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.words import listed

# The steps, in their order; the stage that each leads to has its name.
STEPS = ("controllers", "brokers", "kraft", "finalize")
_START, _CONTROLLERS, _BROKERS, _KRAFT, _FINALIZE, _END = range(6)
_SAY = "make migrate STEP="
# What a controller's log and Java need beside its heap.
FREE_MB = 1024
BESIDE_HEAP_MB = 100


def kafka_migration(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], step: str = "plan"
) -> dict[str, Any]:
    """Say how far the deployment is, and whether the step may be taken now.

    Args:
        hosts: of every host, by its name, what the module kafka_migration_info found; nothing for one that was not
            asked.
        groups: the inventory's groups; zookeeper, kafka_controller and kafka are read.
        step: plan, rollback, or one of STEPS.

    Returns:
        `stage`, one word; `words`, the stage in one sentence; `obstacle`, why the step can't be taken, or nothing;
        `begun`, how many steps have begun.
    """
    found = _Found(
        brokers={name: hosts.get(name) or {} for name in groups.get("kafka") or []},
        controllers={name: hosts.get(name) or {} for name in groups.get("kafka_controller") or []},
        zookeepers={name: hosts.get(name) or {} for name in groups.get("zookeeper") or []},
    )
    return {
        "stage": ("zookeeper", *STEPS, "finished")[found.begun],
        "words": found.words(),
        "obstacle": found.obstacle(step),
        "begun": found.begun,
    }


def kafka_migration_gaps(
    hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any], declared: Mapping[str, Any]
) -> list[str]:
    """Return what stands in the way of a migration that has not begun, one sentence each.

    Args:
        hosts: of every host that has a broker, ZooKeeper or a controller to come, what kafka_migration_info found.
        cluster: what kafka_cluster_info found.
        declared: `controllers`, the names of hosts that get one; `brokers`, the number of brokers; `versions` and
            `protocols`, by the broker's name; `overrides`, the names of properties that the inventory sets for brokers;
            `heap_mb`, by the controller's name.
    """
    return [
        *_software_gaps(hosts, declared),
        *_cluster_gaps(cluster, int(declared["brokers"])),
        *_zookeeper_gaps([each for each in hosts.values() if each]),
        *_controller_gaps(hosts, declared),
    ]


def _software_gaps(hosts: Mapping[str, Mapping[str, Any]], declared: Mapping[str, Any]) -> Iterator[str]:
    for name, version in sorted(declared["versions"].items()):
        protocol = declared["protocols"].get(name)
        if not str(version).startswith("3.9."):
            yield (
                f"{name} runs Kafka {version or '(none)'}, and only 3.9 migrates: say make upgrade STEP=software with "
                "kafka_version 3.9.2, then STEP=protocol."
            )
        elif protocol != "3.9":
            yield f"{name} speaks the protocol {protocol}, and only 3.9 migrates: say make upgrade STEP=protocol."
        if not (hosts.get(name) or {}).get("broker_active"):
            yield f"{name} does not run its broker: start it, and see make status."
    strange = sorted(name for name in declared["overrides"] if name.startswith(("zookeeper.", "control.plane.")))
    if strange:
        yield f"kafka_config_overrides sets {', '.join(strange)}, which KRaft does not have: remove them first."


def _cluster_gaps(cluster: Mapping[str, Any], brokers: int) -> Iterator[str]:
    alive = len(cluster["brokers"])
    if alive < brokers:
        yield f"Of {brokers} brokers only {alive} are alive: see make status."
    for key, words in (("offline", "without a leader"), ("under_replicated", "with a replica out of sync")):
        if cluster[key]:
            yield f"There are partitions {words} ({', '.join(cluster[key][:3])}): wait, or see make status."
    if cluster["reassignments"]:
        yield "Partitions are being moved: wait until that has ended."


def _zookeeper_gaps(hosts: list[Mapping[str, Any]]) -> Iterator[str]:
    told = [each for each in hosts if not each["failure"] and each["controller_epoch"] >= 0]
    if not told:
        words = next((each["failure"] for each in hosts if each["failure"]), "nobody was asked")
        yield f"ZooKeeper tells nothing of the cluster ({words}): see zookeeper.service."
    if any(each["migration"] for each in told):
        yield (
            "ZooKeeper still has /migration of an earlier try, which would let another one empty it: say "
            f"{_SAY}rollback, which removes it."
        )


def _controller_gaps(hosts: Mapping[str, Mapping[str, Any]], declared: Mapping[str, Any]) -> Iterator[str]:
    if not declared["controllers"]:
        yield (
            "stock_market_instances gives no instance the service kafka_controller: give it to an odd number of them, "
            "beside zookeeper (services: stock_market_metadata_services and the others)."
        )
    for name in sorted(declared["controllers"]):
        host = hosts.get(name) or {}
        if not host:
            yield f"What {name} has is not known: run it without --limit."
            continue
        if host["controller"] or host["controller_formatted"]:
            yield f"{name} still has a controller's files of an earlier try: say {_SAY}rollback, which removes them."
        if host["free_mb"] < FREE_MB:
            yield f"{name} has {host['free_mb']} MiB free, and a controller needs {FREE_MB}: make room first."
        needed, memory = int(declared["heap_mb"].get(name, 96)) + BESIDE_HEAP_MB, host["memory_mb"]
        if 0 <= memory < needed:
            yield f"{name} has {memory} MB of memory left, and a controller needs {needed}: take a larger type."


@dataclass(frozen=True)
class _Found:
    brokers: dict[str, Mapping[str, Any]]
    controllers: dict[str, Mapping[str, Any]]
    zookeepers: dict[str, Mapping[str, Any]]

    @property
    def modes(self) -> dict[str, str]:
        return {name: each["broker"] for name, each in self.brokers.items() if each}

    @property
    def begun(self) -> int:
        """How many steps have begun; the newest that did gives the stage its name."""
        if not self.zookeepers:
            return _END
        if any(each.get("controller") == "kraft" for each in self.controllers.values()):
            return _FINALIZE
        modes = set(self.modes.values())
        if "kraft" in modes:
            return _KRAFT
        if "dual_write" in modes:
            return _BROKERS
        return _CONTROLLERS if self.controllers else _START

    @property
    def going_back(self) -> bool:
        """Whether a rollback was broken off: a controller that has worked is not to start any more."""
        return any(
            each.get("controller_started") and not each.get("controller_enabled") for each in self.controllers.values()
        )

    @property
    def copied(self) -> bool:
        """Whether a controller of KRaft is the cluster's, and has copied what ZooKeeper had."""
        return any(each["copied"] for each in self.brokers.values() if each)

    def gap(self, step: int) -> str:
        """Return what the step has not done yet, or nothing."""
        if step == _CONTROLLERS:
            # Each later step starts those that do not run.
            needed = ("controller", "controller_formatted", *(["controller_active"] if self.begun == step else []))
            idle = sorted(name for name, each in self.controllers.items() if not all(each.get(key) for key in needed))
            return f"{listed(idle)} {'have' if idle[1:] else 'has'} no running controller" if idle else ""
        if step == _BROKERS:
            old = sorted(name for name, mode in self.modes.items() if mode not in ("dual_write", "kraft"))
            if old:
                return f"{listed(old)} {'do' if old[1:] else 'does'} not write to both yet"
            return "" if self.copied else "the controllers have not copied ZooKeeper's metadata yet"
        if step == _KRAFT:
            old = sorted(name for name, mode in self.modes.items() if mode != "kraft")
            return f"{listed(old)} {'use' if old[1:] else 'uses'} ZooKeeper still" if old else ""
        return ""

    def words(self) -> str:
        begun, done = self.begun, f" Go on by {_SAY}"
        if begun == _END:
            return "The cluster keeps its metadata in controllers: there is no ZooKeeper to leave."
        if self.going_back:
            return f"A rollback was broken off. Finish it by {_SAY}rollback."
        if begun == _START:
            return (
                f"The cluster keeps its metadata in ZooKeeper, and no migration has begun. Begin by {_SAY}controllers."
            )
        if begun == _FINALIZE:
            return f"The controllers leave ZooKeeper, from where there is no way back. Finish it by {_SAY}finalize."
        gap = self.gap(begun)
        step = STEPS[begun - 1]
        if gap:
            return f"STEP={step} was broken off: {gap}.{done}{step}, or back by {_SAY}rollback."
        state = {
            _CONTROLLERS: "The controllers run, and the brokers still use ZooKeeper alone.",
            _BROKERS: "The controllers lead the cluster, and write to ZooKeeper, too.",
            _KRAFT: "All brokers are in KRaft mode, and the controllers still write to ZooKeeper.",
        }[begun]
        return f"{state}{done}{STEPS[begun]}, or back by {_SAY}rollback."

    def obstacle(self, step: str) -> str:
        if step not in ("plan", "rollback", *STEPS):
            return f"A migration has no step '{step}': say plan, {', '.join(STEPS)} or rollback ({_SAY}plan)."
        silent = sorted(
            name for name, each in {**self.brokers, **self.controllers, **self.zookeepers}.items() if not each
        )
        if silent:
            return f"How far {listed(silent)} {'are' if silent[1:] else 'is'} is not known: run it without --limit."
        if step == "plan":
            return ""
        begun = self.begun
        if begun == _END:
            return "" if step == "finalize" else self.words()
        if step == "rollback":
            return self.words() if begun == _FINALIZE else ""
        wanted = STEPS.index(step) + 1
        if self.going_back:
            return self.words()
        if wanted < begun:
            return f"STEP={step} is done. {self.words()}"
        missing = next((each for each in range(_CONTROLLERS, wanted) if each > begun or self.gap(each)), None)
        if missing is None:
            return ""
        return f"STEP={step} comes after STEP={STEPS[missing - 1]}. {self.words()}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kafka_migration": kafka_migration, "kafka_migration_gaps": kafka_migration_gaps}
