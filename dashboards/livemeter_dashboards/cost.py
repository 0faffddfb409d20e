"""The board "Cost": what the sessions cost, what the money went to, and how much of it is not known."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from livemeter_dashboards.panels import Panel, bars_panel, stat_panel, steps, table_panel
from livemeter_dashboards.variables import choice_variable, datasource_variable


def cost_board() -> Dashboard:
    """Return the board."""
    board = (
        Dashboard("Livemeter: Cost")
        .uid("livemeter-cost")
        .description("What Gemini Live sessions cost, by model, direction, modality, app and session.")
        .tags(["livemeter"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .refresh("5m")
        .with_variable(datasource_variable())
        .with_variable(choice_variable("app", "App"))
        .with_variable(choice_variable("model", "Model"))
    )
    for number, panel in enumerate((*_figures(), *_over_time(), _sessions()), start=1):
        board.with_panel(panel.id(number))
    return board


def _figures() -> tuple[Panel, ...]:
    return (
        stat_panel(
            "Spend",
            "cost/spend",
            "Money in the time range, at the prices in force at the time. Tokens of unknown modality are"
            " counted at the text price; the other two figures price them at the cheapest and at the dearest"
            " modality. If the two are far apart, look at Unattributed before you trust the sum.",
            units.Dollars,
        ),
        stat_panel(
            "Input spend: carried and fresh",
            "cost/carried",
            "Every turn bills again what was in the context before. Where carried is most of the input"
            " spend, turn on context window compression, shorten the system instruction, or end sessions"
            " sooner.",
            units.PercentUnit,
        ),
        stat_panel(
            "Unattributed and unpriced tokens",
            "cost/unknown_tokens",
            "Unattributed: the server told no modality for these tokens; nothing to repair, but the spend"
            " is a range. Unpriced: no price is known for their model, platform or tier, so they are missing"
            " from every sum here. The collector looks for prices of new models every minute: if they stay"
            " unpriced, upgrade genai-prices and start it again.",
            units.PercentUnit,
            steps("green", (0.05, "orange"), (0.2, "red")),
        ),
        stat_panel(
            "Usage coverage",
            "cost/usage_coverage",
            "Of the turns in which the model answered, how many have token counts from the server. Below"
            " 100 % the real bill is higher than the spend shown here: look for sessions that closed in the"
            " middle of an answer.",
            units.PercentUnit,
            steps("red", (0.8, "orange"), (0.95, "green")),
        ),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        bars_panel(
            "Spend by model",
            "cost/spend_by_model",
            "Look here first when spend jumps: a model that was not there before is a release or a setting."
            " A model with an empty bar has no known price.",
            units.Dollars,
            "${__field.labels.model}",
        ).span(12),
        bars_panel(
            "Spend by direction and modality",
            "cost/spend_by_modality",
            "What kind of token costs: audio in and out, text, video, transcription. If nobody reads the"
            " transcripts, switch transcription off; if video is large, send fewer frames.",
            units.Dollars,
            "${__field.labels.direction} ${__field.labels.modality}",
        ).span(12),
        bars_panel(
            "Spend per hour, by app",
            "cost/spend_per_hour",
            "Whole clock hours, so that heights compare however long the time range is; the first and the"
            " last hour are cut by the range. Compare with the same hours of another day: a higher level"
            " with as many sessions means dearer sessions.",
            units.Dollars,
            "${__field.labels.app}",
        ).span(24),
    )


def _sessions() -> Panel:
    return table_panel(
        "Cost per session",
        "cost/sessions",
        "The 100 dearest sessions, with what each spent inside the time range. Take an id from the first"
        " column to `livemeter session ID` for its turns. No figure under usd: none of its tokens has a"
        " price. unpriced_quantity counts tokens and Search queries without a price.",
        {
            "usd": units.Dollars,
            "usd_low": units.Dollars,
            "usd_high": units.Dollars,
            "carried_share": units.PercentUnit,
        },
    )
