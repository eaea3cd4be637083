"""The filter kafka_change: Kafka's own rules for another version of itself, which the role kafka obeys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.stock_market.streaming.plugins.module_utils.words import listed

_GO_ON = "make upgrade STEP=software"
_GO_BACK = "make upgrade STEP=rollback"
# The oldest of Kafka 4 that the roles configure.
_OLDEST_4 = (4, 2)


def kafka_change(
    brokers: Mapping[str, Mapping[str, str]], declared: str, step: str = "", metadata: str = "zookeeper"
) -> dict[str, str]:
    """Say whether the brokers may come to run the version `declared`, and which protocol they are to speak then.

    In KRaft, the protocol is the release whose features the cluster uses.

    Args:
        brokers: of every broker, by its name, what the module kafka_software_info found: `version` and `protocol`, both
            empty where there is no Kafka yet, and `protocol` where the controllers do not answer; an empty mapping for
            a broker that was not asked.
        declared: the version that kafka_version asks for, such as 3.9.2.
        step: what upgrade.yml was asked for: software, rollback, and protocol or, in KRaft, features; empty for every
            other playbook.
        metadata: where the cluster keeps its metadata, as the role's option kafka_metadata.

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
        kraft=metadata == "kraft",
    )
    obstacle = change.obstacle()
    return {
        "obstacle": obstacle,
        "protocol": _line(declared) if step == change.last_step else change.spoken,
        "notice": "" if obstacle or not step else change.notice(),
    }


@dataclass(frozen=True)
class _Change:
    silent: list[str]
    versions: dict[str, str]
    protocols: set[str]
    declared: str
    step: str
    kraft: bool

    @property
    def last_step(self) -> str:
        """The step from which there is no way back."""
        return "features" if self.kraft else "protocol"

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
        last = self.last_step
        steps = {"": self._by_site, "software": self._software, last: self._last, "rollback": self._rollback}
        if self.step not in steps:
            return f"There is no step '{self.step}' of an upgrade: say software, {last} or rollback."
        return self._never() or self._not_asked() or (steps[self.step]() if self.found else self._nothing_there())

    def _never(self) -> str:
        declared = self.declared
        if not re.fullmatch(r"\d+\.\d+\.\d+", declared):
            return f"kafka_version is '{declared}', which is no version of Kafka: say all three numbers, such as 3.9.2."
        if _numbers(declared) >= (4,) and not self.kraft:
            return (
                f"kafka_version is {declared}, which has no ZooKeeper, and the cluster keeps its metadata there: set "
                "kafka_version to 3.9.2, and say make migrate STEP=plan; a new deployment can set "
                "stock_market_metadata to kraft."
            )
        if (4,) <= _numbers(declared) < _OLDEST_4:
            return f"kafka_version is {declared}: of Kafka 4, only 4.2 and later run here. Set it to 4.3.1."
        if _numbers(declared) < (3, 9) and self.kraft:
            return f"kafka_version is {declared}, and controllers need Kafka 3.9: set kafka_version to 3.9.2."
        return ""

    def _not_asked(self) -> str:
        """Refuse to decide for all of them, or for a new one, what not all were asked about."""
        if self.silent and (self.step or "" in self.versions.values()):
            return f"What Kafka {listed(self.silent)} run is not known: run the playbook without --limit."
        if self.step and self.found and not self.spoken:
            return "The controllers do not tell which features the cluster uses: see make status."
        return ""

    def _nothing_there(self) -> str:
        return "No broker runs Kafka yet, so there is nothing to upgrade: run make up first." if self.step else ""

    def _no_way_back(self) -> str:
        if not _newer(self.spoken, self.declared):
            return ""
        subject = "The cluster uses the features of Kafka" if self.kraft else "The brokers speak the protocol"
        return (
            f"{subject} {self.spoken}, which Kafka {self.declared} does not know, so there is no way back to it: set "
            f"kafka_version to {self.newest}."
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

    def _last(self) -> str:
        if set(self.versions.values()) == {self.declared}:
            return self._no_way_back()
        change = "the features change" if self.kraft else "the protocol changes"
        return (
            f"{_runs(self.versions)}, and kafka_version is {self.declared}: {change} only where every broker runs "
            f"that. Say {_GO_ON} first."
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
        if self.step == self.last_step:
            return self._notice_of_last(line)
        if set(self.versions.values()) == {declared}:
            begin = f"Every broker runs Kafka {declared} already"
        else:
            begin = f"Every broker comes to run Kafka {declared}, one after the other"
        uses = "the cluster uses the features of" if self.kraft else "they speak the protocol"
        if self.spoken == line:
            return f"{begin}; {uses} {line}, as before."
        finish = f"make upgrade STEP={self.last_step}"
        return f"{begin}; {uses} {self.spoken} until {finish}, and until then {_GO_BACK} leads back."

    def _notice_of_last(self, line: str) -> str:
        done = self.protocols == {line}
        if self.kraft:
            if done:
                return f"The cluster uses the features of Kafka {line} already."
            return f"The cluster comes to use the features of Kafka {line}: there is no way back."
        if done:
            return f"Every broker speaks the protocol {line} already."
        return f"Every broker comes to speak the protocol {line}, one after the other: there is no way back."


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
            f"{listed(names)} {'run' if names[1:] else 'runs'} {f'Kafka {version}' if version else 'no Kafka'}"
        )
    return ", ".join(phrases)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., dict[str, str]]]:
        return {"kafka_change": kafka_change}
