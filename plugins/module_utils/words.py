"""Names in a sentence."""

from __future__ import annotations


def listed(names: list[str]) -> str:
    """Return the names as a person lists them: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
