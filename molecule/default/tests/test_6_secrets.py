"""Secrets: all of them are replaced while the stream continues, and none is ever shown."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from conftest import Deployment, eventually, login, printed, read_deployment, secrets, stream
from kafka import KafkaConsumer
from kafka.errors import KafkaError


@pytest.fixture(scope="module")
def rotation() -> tuple[dict[str, str], dict[str, Any], str]:
    """The secrets, and the operator's login, before everything was rotated, and what that printed."""
    deployment = read_deployment()
    before, old_login = secrets(deployment), login(deployment)
    return before, old_login, printed("rotate.yml", "-vvv", "--diff", "-e", "rotate=all")


@pytest.mark.long
def test_every_secret_is_replaced_while_the_stream_continues(
    host: Any, deployment: Deployment, rotation: tuple[dict[str, str], dict[str, Any], str]
) -> None:
    before, old_login, _ = rotation
    after = secrets(deployment)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] == before[name]] == []
    with pytest.raises(KafkaError):
        KafkaConsumer(**old_login | {"ssl_cafile": login(deployment)["ssl_cafile"]}, bootstrap_timeout_ms=5000)
    for unit in ("stock-producer", "stock-consumer"):
        said = host.check_output(f"journalctl --unit={unit} --output=cat --no-pager --since=-15min")
        assert [line for line in said.splitlines() if " ERROR " in line] == []
    eventually(lambda: stream().faults() == [], seconds=180, what="a stream without faults")


@pytest.fixture(scope="module")
def next_run(rotation: tuple[dict[str, str], dict[str, Any], str]) -> str:
    """What site.yml prints after all that the scenario has done to the deployment."""
    assert rotation[2]
    # The runs before have asked all analyses; one shows that Athena is still asked.
    return str(printed("site.yml", "-vvv", "--diff", "-e", '{"analyses_names": ["freshness"]}'))


@pytest.mark.long
def test_after_all_faults_and_rotations_the_next_run_changes_nothing(next_run: str) -> None:
    assert re.search(r"^node-1 .*changed=0 .*failed=0", next_run, re.MULTILINE)
    assert re.search(r"^localhost .*changed=0 .*failed=0", next_run, re.MULTILINE)


@pytest.mark.long
def test_no_secret_is_printed(
    deployment: Deployment, rotation: tuple[dict[str, str], dict[str, Any], str], next_run: str
) -> None:
    before, _, said = rotation
    for name, value in [*before.items(), *secrets(deployment).items()]:
        assert value not in said, name
        assert value not in next_run, name


def test_on_the_host_a_secret_is_only_in_files_of_the_service_that_needs_it(host: Any, deployment: Deployment) -> None:
    seen = host.check_output("journalctl --no-pager; ps -eo args")
    assert [name for name, value in secrets(deployment).items() if value in seen] == []
    # Encoded, for sudo notes each command in the journal.
    wanted = base64.b64encode("\n".join(secrets(deployment).values()).encode()).decode()
    searched = "/etc /opt /var/log /var/tmp /tmp /home /run"
    found = host.check_output(f"echo {wanted} | base64 -d | grep -rlFI -f - {searched} || true").split()
    services = {path: host.file(path).user for path in found}
    assert services == {
        "/etc/kafka/private/password": "kafka",
        "/etc/stock-market/producer.password": "stock-producer",
        "/etc/stock-market/consumer.password": "stock-consumer",
        "/etc/stock-market/history.password": "stock-history",
    }
    for path in found:
        assert host.file(path).mode in {0o400, 0o600}, path
