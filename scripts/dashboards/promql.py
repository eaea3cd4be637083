"""PromQL that several dashboards use."""

from __future__ import annotations

from typing import Final

CHOSEN: Final = 'instance=~"$instance"'
"""The instances that the reader has chosen at the top of a dashboard."""
OVER: Final = "$__rate_interval"


def rate(metric: str, by: str = "instance", chosen: str = "") -> str:
    """A counter's increase per second, summed by labels.

    Args:
        metric: the counter's name.
        by: labels that stay, separated by commas.
        chosen: a selector of labels, without braces.
    """
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[{OVER}]))"


def quantile(share: str, histogram: str, chosen: str = "", by: str = "") -> str:
    """The value below which a share (0 to 1) of a histogram's observations lies, in the histogram's unit."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{chosen}}}[{OVER}])))"
