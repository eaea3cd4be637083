"""The filter kafka_change: Kafka's own rules for another version of itself, which the role kafka obeys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GO_ON = "make upgrade STEP=software"
_GO_BACK = "make upgrade STEP=rollback"
_FINISH = "make upgrade STEP=protocol"


def kafka_change(brokers: Mapping[str, Mapping[str, str]], declared: str, step: str = "") -> dict[str, str]:
    """Say whether the brokers may come to run the version `declared`, and which protocol they are to speak then.

    Args:
        brokers: of every broker, by its name, what the module kafka_software_info found: `version` and `protocol`, both
            empty where there is no Kafka yet; an empty mapping for a broker that was not asked.
        declared: the version that kafka_version asks for, such as 3.9.2.
        step: what upgrade.yml was asked for: software, protocol or rollback; empty for every other playbook.

    Returns:
        `obstacle`, the sentence that refuses it, or nothing; `protocol`, what server.properties is to say; `notice`,
        what the step does and how it goes on.
    """
    change = _Change(
        silent=[name for name in sorted(brokers) if not brokers[name]],
        versions={name: brokers[name]["version"] for name in sorted(brokers) if brokers[name]},
        protocols={each["protocol"] for each in brokers.values() if each and each["version"]},
        declared=declared,
        step=step,
    )
    obstacle = change.obstacle()
    return {
        "obstacle": obstacle,
        "protocol": _line(declared) if step == "protocol" else change.spoken,
        "notice": "" if obstacle or not step else change.notice(),
    }


@dataclass(frozen=True)
class _Change:
    silent: list[str]
    versions: dict[str, str]
    protocols: set[str]
    declared: str
    step: str

    @property
    def found(self) -> dict[str, str]:
        """The versions without the brokers that run none."""
        return {name: version for name, version in self.versions.items() if version}

    @property
    def spoken(self) -> str:
        """The newest protocol that any broker speaks: what it may have written already, all have to understand."""
        return max(self.protocols, key=_numbers, default=_line(self.declared))

    @property
    def newest(self) -> str:
        return max(self.found.values(), key=_numbers)

    def obstacle(self) -> str:
        steps = {"": self._by_site, "software": self._software, "protocol": self._protocol, "rollback": self._rollback}
        if self.step not in steps:
            return f"There is no step '{self.step}' of an upgrade: say software, protocol or rollback."
        return self._never() or self._not_asked() or (steps[self.step]() if self.found else self._nothing_there())

    def _never(self) -> str:
        declared = self.declared
        if not re.fullmatch(r"\d+\.\d+\.\d+", declared):
            return f"kafka_version is '{declared}', which is no version of Kafka: say all three numbers, such as 3.9.2."
        if _numbers(declared) >= (4,):
            return f"kafka_version is {declared}, which has no ZooKeeper any more: 3.9 is the last line that runs here."
        return ""

    def _not_asked(self) -> str:
        """Refuse to decide for all of them, or for a new one, what not all were asked about."""
        if self.silent and (self.step or "" in self.versions.values()):
            return f"What Kafka {_and(self.silent)} run is not known: run the playbook without --limit."
        return ""

    def _nothing_there(self) -> str:
        return "No broker runs Kafka yet, so there is nothing to upgrade: run make up first." if self.step else ""

    def _no_way_back(self) -> str:
        if not _newer(self.spoken, self.declared):
            return ""
        return (
            f"The brokers speak the protocol {self.spoken}, which Kafka {self.declared} does not know, so there is no "
            f"way back to it: set kafka_version to {self.newest}."
        )

    def _by_site(self) -> str:
        """Another patch comes by any playbook, another minor version by upgrade.yml alone."""
        lines = {_line(version) for version in self.found.values()}
        if lines == {_line(self.declared)}:
            return self._no_way_back()
        begin = f"{_runs(self.found)}, and kafka_version is {self.declared}: "
        if len(lines) > 1:
            oldest = min(self.found.values(), key=_numbers)
            return begin + (
                f"an upgrade was broken off. Go on by {_GO_ON} with kafka_version {self.newest}, or back by {_GO_BACK} "
                f"with kafka_version {oldest}."
            )
        step = _GO_ON if _newer(self.declared, self.newest) else _GO_BACK
        return self._no_way_back() or begin + f"say {step} for that, or set kafka_version to {self.newest}."

    def _software(self) -> str:
        if _newer(self.newest, self.declared):
            return self._no_way_back() or (
                f"{_runs(self.found)}, and kafka_version is {self.declared}: say {_GO_BACK} to go back, "
                f"or set kafka_version to {self.newest}."
            )
        return self._no_way_back()

    def _protocol(self) -> str:
        if set(self.versions.values()) == {self.declared}:
            return self._no_way_back()
        return (
            f"{_runs(self.versions)}, and kafka_version is {self.declared}: the protocol changes only where every "
            f"broker runs that. Say {_GO_ON} first."
        )

    def _rollback(self) -> str:
        older = {name: version for name, version in self.found.items() if _newer(self.declared, version)}
        if older:
            return f"{_runs(older)}, so Kafka {self.declared} is no way back: say {_GO_ON}."
        if set(self.found.values()) == {self.declared} and self.spoken != _line(self.declared):
            return (
                f"{_runs(self.found)}, which is kafka_version itself: say which Kafka {self.spoken} to go back to, by "
                f"{_GO_BACK} ARGS='-e kafka_version=...'."
            )
        return self._no_way_back()

    def notice(self) -> str:
        """Say what the step does."""
        declared, line = self.declared, _line(self.declared)
        if self.step == "protocol":
            if self.protocols == {line}:
                return f"Every broker speaks the protocol {line} already."
            return f"Every broker comes to speak the protocol {line}, one after the other: there is no way back."
        if set(self.versions.values()) == {declared}:
            begin = f"Every broker runs Kafka {declared} already"
        else:
            begin = f"Every broker comes to run Kafka {declared}, one after the other"
        if self.spoken == line:
            return f"{begin}; they speak the protocol {line}, as before."
        return f"{begin}; they speak the protocol {self.spoken} until {_FINISH}, and until then {_GO_BACK} leads back."


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _newer(one: str, other: str) -> bool:
    return _numbers(one) > _numbers(other)


def _line(version: str) -> str:
    """Return the minor version, 3.9 of 3.9.2, which is also the name of the newest protocol that it speaks."""
    return ".".join(version.split(".")[:2])


def _runs(versions: Mapping[str, str]) -> str:
    """Say who runs what: `kafka-1 runs Kafka 3.9.2, kafka-2 and kafka-3 run Kafka 3.8.1`."""
    phrases = []
    for version in sorted(set(versions.values()), key=_numbers, reverse=True):
        names = [name for name in versions if versions[name] == version]
        phrases.append(
            f"{_and(names)} {'run' if names[1:] else 'runs'} {f'Kafka {version}' if version else 'no Kafka'}"
        )
    return ", ".join(phrases)


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


class FilterModule:
    """What Ansible asks for the filters' names."""

    def filters(self) -> dict[str, Callable[..., dict[str, str]]]:
        """Return the filter by name."""
        return {"kafka_change": kafka_change}
