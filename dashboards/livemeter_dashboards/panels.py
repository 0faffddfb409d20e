"""The house style of panels: one function for each way to show an answer.

A width is of the 24 columns that a board has; a height is in rows of 30 pixels.
"""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode

from livemeter_dashboards.target import DATASOURCE, Query, Shape, read_sql

Panel = stat.Panel | timeseries.Panel | table.Panel

NOT_KNOWN = "-"
"""What is not known is shown as it is on the command line; it is never zero."""
_MOST_BARS = 100


def stat_panel(
    title: str, query: str, description: str, unit: str, thresholds: ThresholdsConfig | None = None
) -> stat.Panel:
    """Return the columns of a one-row answer as big figures."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Query(read_sql(query), Shape.TABLE))
        .unit(unit)
        .no_value(NOT_KNOWN)
        .thresholds(thresholds or steps("text"))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .span(6)
        .height(5)
    )


def bars_panel(title: str, query: str, description: str, unit: str, labels: str) -> timeseries.Panel:
    """Return sums over time as stacked bars; ``labels`` names a series (``${__field.labels.model}``)."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Query(read_sql(query), Shape.TIME_SERIES))
        .unit(unit)
        .no_value(NOT_KNOWN)
        .display_name(labels)
        .min(0)
        .max_data_points(_MOST_BARS)
        .interval("1m")
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(70)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
        .legend(_legend_with_sums())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .height(9)
    )


def table_panel(title: str, query: str, description: str, units: Mapping[str, str]) -> table.Panel:
    """Return an answer's rows as they come; ``units`` maps columns to units, others are plain counts."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Query(read_sql(query), Shape.TABLE))
        .unit("short")
        .no_value(NOT_KNOWN)
        .span(24)
        .height(12)
    )
    for column, unit in units.items():
        panel.override_by_name(column, [DynamicConfigValue("unit", unit)])
    return panel


def steps(start: str, *then: tuple[float, str]) -> ThresholdsConfig:
    """Return colours: ``start`` below the first value, then each from its value on."""
    thresholds = [Threshold(None, start), *(Threshold(value, colour) for value, colour in then)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def _legend_with_sums() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["sum"])
    )
