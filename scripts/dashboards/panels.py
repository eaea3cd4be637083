"""The few kinds of panels that the dashboards are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel: TypeAlias = timeseries.Panel | stat.Panel
_HEIGHT, _SMALL = 8, 4


def _query(number: int, expression: str, legend: str) -> Dataquery:
    return Dataquery().ref_id(chr(ord("A") + number)).datasource(SOURCE).expr(expression).legend_format(legend)


def graph(
    title: str, unit: str, *queries: tuple[str, str], about: str = "", stacked: bool = False, least: float | None = 0
) -> timeseries.Panel:
    """Lines over time.

    Args:
        title: of the panel.
        unit: Grafana's name of the unit.
        queries: expression and legend of each.
        about: a sentence behind the panel's i.
        stacked: whether the areas add up.
        least: the smallest value of the axis; None for what the data has.
    """
    panel = timeseries.Panel().title(title).unit(unit).datasource(SOURCE).height(_HEIGHT).span(12)
    panel.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.fill_opacity(10)
    if about:
        panel.description(about)
    if least is not None:
        panel.min(least)
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    for number, (expression, legend) in enumerate(queries):
        panel.with_target(_query(number, expression, legend))
    return panel


def tile(
    title: str, unit: str, expression: str, *, about: str = "", steps: Sequence[tuple[float | None, str]] = ()
) -> stat.Panel:
    """One number.

    Args:
        title: of the panel.
        unit: Grafana's name of the unit.
        expression: gives the number.
        about: a sentence behind the panel's i.
        steps: from which value on it has which color; the first from None on.
    """
    panel = stat.Panel().title(title).unit(unit).datasource(SOURCE).height(_SMALL).span(4)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.graph_mode(common_models.BigValueGraphMode.NONE)
    colors = [models.Threshold(value=value, color=color) for value, color in steps or [(None, "text")]]
    panel.thresholds(builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(colors))
    if about:
        panel.description(about)
    return panel.with_target(_query(0, expression, ""))


ZERO_IS_GOOD = ((None, "green"), (1.0, "red"))
ONE_IS_GOOD = ((None, "red"), (1.0, "green"), (2.0, "red"))


def board(title: str, about: str, rows: Sequence[tuple[str, Sequence[Panel]]], choose: str = "") -> builders.Dashboard:
    """A dashboard.

    Args:
        title: of the dashboard; also its identity in Grafana.
        about: what it is for.
        rows: headings with panels.
        choose: the metric whose instances can be chosen by the variable `instance`; empty for no choice.
    """
    made = builders.Dashboard(f"Stock market: {title}").uid(f"stock-market-{title}").description(about)
    made.tags(["stock-market"]).time("now-1h", "now").refresh("10s").timezone("utc").editable()
    made.tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.link(
        builders.DashboardLink("Stock market")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags(["stock-market"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    made.with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    if choose:
        made.with_variable(
            builders.QueryVariable("instance")
            .label("instance")
            .datasource(SOURCE)
            .query(f"label_values({choose}, instance)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .current(models.VariableOption(text="All", value="$__all"))
        )
    for heading, panels in rows:
        made.with_row(builders.Row(heading))
        for panel in panels:
            made.with_panel(panel)
    return made
