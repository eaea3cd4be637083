"""Hosts: what they are made of, without making one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local_cloud.errors import LocalCloudError
from local_cloud.hosts import host as hosts
from local_cloud.hosts import image, network
from local_cloud.settings import Settings


def test_a_reboot_is_distinguished_from_a_power_off_by_the_containers_exit_code() -> None:
    assert hosts.asked_for_restart(129)
    assert hosts.asked_for_restart(133)
    assert not hosts.asked_for_restart(130)
    assert not hosts.asked_for_restart(0)
    assert not hosts.asked_for_restart(137)


def test_a_resolver_on_this_machines_loopback_is_passed_over(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# made by a program\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.53\nsearch example.org\n")
    assert hosts.resolver_configuration([stub, real]) == "nameserver 192.0.2.53\nsearch example.org\n"


def test_a_machine_without_a_usable_resolver_says_so(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text("nameserver ::1\n")
    with pytest.raises(LocalCloudError, match="no name server"):
        hosts.resolver_configuration([stub, tmp_path / "absent"])


def test_the_images_key_changes_with_its_recipe_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "apt_sources", lambda _: ["deb mirror bookworm main"])
    monkeypatch.setattr(image, "trusted_certificates", lambda: {"a.crt": "one"})
    first = image.recipe("12")[0]
    assert image.recipe("12")[0] == first
    assert image.recipe("13")[0] != first
    monkeypatch.setattr(image, "trusted_certificates", lambda: {"a.crt": "two"})
    assert image.recipe("12")[0] != first


def test_a_release_that_has_no_image_is_refused() -> None:
    with pytest.raises(LocalCloudError, match="no image of Debian 11: the releases are 12 and 13"):
        image.recipe("11")


@pytest.mark.parametrize(("own", "other"), [("bookworm", "trixie"), ("trixie", "bookworm")])
def test_a_machine_of_either_release_has_sources_of_both(monkeypatch: pytest.MonkeyPatch, own: str, other: str) -> None:
    indexes = (
        f"http://mirror/debian stable {own} main\nhttp://mirror/debian stable-updates {own}-updates main\n"
        f"http://mirror/security {own}-security {own}-security main\nhttps://deb.example.com nodistro nodistro main\n"
    )
    answer = subprocess.CompletedProcess([], 0, stdout=indexes)
    monkeypatch.setattr(image, "run", lambda _: answer)
    numbers = {suite: number for number, suite in image.RELEASES.items()}
    for suite in (own, other):
        sources = [line.partition("] ")[2] for line in image.apt_sources(numbers[suite])]
        assert sources == [
            f"http://mirror/debian {suite} main",
            f"http://mirror/debian {suite}-updates main",
            f"http://mirror/security {suite}-security main",
        ]


def test_a_machine_without_debians_sources_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout="http://mirror/ubuntu noble noble main\n")
    monkeypatch.setattr(image, "run", lambda _: answer)
    with pytest.raises(LocalCloudError, match="no source for Debian 12 or 13"):
        image.apt_sources("12")


def test_hosts_reach_api_and_metadata_of_this_machine_and_nothing_else_of_it(settings: Settings) -> None:
    rules = network.forwarding_rules(settings)
    assert "ip daddr 198.18.77.1 tcp dport { 4566, 1338 } accept" in rules
    assert rules.split("chain input")[1].strip().splitlines()[-3].strip() == "drop"


def test_interfaces_names_fit_the_kernels_limit() -> None:
    longest = Settings("stock", 254, Path("/x/stock"))
    assert len(network.cable_name(longest, "i-0123456789abcdef0")) <= 15
