"""The pool of public addresses."""

from __future__ import annotations

import pytest

from local_cloud.ec2.addresses import AddressPool
from local_cloud.moto_patch import Ec2Error


def test_addresses_come_from_the_block_from_10_to_250() -> None:
    pool = AddressPool(7)
    taken = [pool.take(()) for _ in range(241)]
    assert taken[0] == "198.18.7.10"
    assert taken[-1] == "198.18.7.250"
    assert len(set(taken)) == 241


def test_an_address_given_back_is_not_given_out_again_at_once() -> None:
    pool = AddressPool(7)
    first = pool.take(())
    assert pool.take(()) != first


def test_an_address_in_use_is_passed_over() -> None:
    pool = AddressPool(7)
    assert pool.take({"198.18.7.10", "198.18.7.11"}) == "198.18.7.12"


def test_the_pool_goes_round() -> None:
    pool = AddressPool(7)
    held = {f"198.18.7.{last}" for last in range(11, 251)}
    assert [pool.take(held) for _ in range(2)] == ["198.18.7.10", "198.18.7.10"]


def test_an_exhausted_pool_says_so() -> None:
    held = {f"198.18.7.{last}" for last in range(10, 251)}
    with pytest.raises(Ec2Error, match="All 241 public addresses are in use"):
        AddressPool(7).take(held)


def test_only_addresses_of_the_block_are_the_pools() -> None:
    pool = AddressPool(7)
    assert "198.18.7.250" in pool
    assert "198.18.7.251" not in pool
    assert "198.18.8.10" not in pool
