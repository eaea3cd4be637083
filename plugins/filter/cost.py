"""The filter that compares a month's cost with a budget: the same reckoning as that of `make plan`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stock_market_ops.plan import bill, prices
from stock_market_ops.plan.facts import Costs


def cost_faults(costs: Mapping[str, Any], budget: float) -> list[str]:
    """Return the sentence that says by how much a month is above the budget, or nothing.

    Args:
        costs: as scripts/stock_market_ops/plan/facts.py has them.
        budget: in US dollars.
    """
    # Ansible's texts carry tags of their own, and msgspec takes plain ones only.
    plain = msgspec.json.decode(json.dumps(costs), type=Costs, strict=False)
    return bill.faults(plain, budget, prices.load())


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cost_faults": cost_faults}
