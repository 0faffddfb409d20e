"""Every framework with one added import: what it did, and what Livemeter recorded of it.

The figures are worked out by hand in ``expected``; the account is asked for in SQL, as a user asks.
"""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.frameworks.conftest import ENVIRONMENTS, KEY, ROOT, Observed, Played, play
from tests.frameworks.conversations import CONVERSATIONS
from tests.frameworks.expected import CLOSES, SESSIONS, TOKENS, TURNS, Close, Turn

if not ENVIRONMENTS:
    pytest.skip("frameworks have environments of their own: make test-frameworks", allow_module_level=True)

pytestmark = pytest.mark.timeout(240)

ObservedBy = Callable[[str], Observed]

DISTRIBUTIONS = {
    "adk": ("google-adk", "google-adk"),
    "adk-oldest": ("google-adk", "google-adk"),
    "livekit": ("livekit-plugins-google", "livekit-plugins-google"),
    "livekit-oldest": ("livekit-plugins-google", "livekit-plugins-google"),
    "pipecat": ("pipecat-ai", "pipecat-ai"),
    "pydantic-ai": ("pydantic-ai", "pydantic-ai-slim"),
}
"""What each framework is called, and the package in its lock that has the version."""

every_conversation = pytest.mark.parametrize("name", CONVERSATIONS)


def told(played: Played) -> list[tuple[object, ...]]:
    """What the Live server was told on each connection, but for the microphone."""
    return [
        (
            connection.setup,
            [kind for kind in connection.kinds if kind != "realtimeInput.audio"],
            connection.close_code,
            connection.closed_by,
        )
        for connection in played.connections
    ]


@every_conversation
def test_the_application_hears_every_turn_to_its_end(observed: ObservedBy, name: str) -> None:
    printed = observed(name).printed

    assert printed["turns"] == len(TURNS[name])
    assert printed["heard_ms"] == sum(turn.model_speech_ms for turn in TURNS[name])


@every_conversation
def test_the_application_does_the_same_without_livemeter(observed: ObservedBy, name: str) -> None:
    plain = play(name, {"LIVEMETER_ENABLED": "false"})
    seen = observed(name)

    assert plain.printed == seen.printed
    assert told(plain) == told(seen)
    assert "Livemeter" not in seen.errors


@every_conversation
def test_connections_are_one_session_where_the_framework_resumed(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT connections, reconnects, status, context_lost FROM livemeter.live_sessions"
        " WHERE app = {app:String} ORDER BY started_at"
    )

    assert [(row["connections"], row["reconnects"]) for row in rows] == [
        (connections, connections - 1) for connections in SESSIONS[name]
    ]
    last_closes = [CLOSES[name][sum(SESSIONS[name][: number + 1]) - 1] for number in range(len(rows))]
    assert [row["status"] for row in rows] == [
        "ended" if close.ended_well else "failed" for close in last_closes
    ]
    assert not any(row["context_lost"] for row in rows)


@every_conversation
def test_a_session_s_tokens_and_money_are_the_script_s(observed: ObservedBy, name: str) -> None:
    [row] = observed(name).rows(
        "SELECT sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cost_usd) AS usd,"
        " sum(unpriced_quantity) AS unpriced, min(usage_coverage) AS coverage"
        " FROM livemeter.live_sessions WHERE app = {app:String}"
    )

    turns = TURNS[name]
    assert (row["input"], row["output"]) == (
        sum(turn.input_tokens for turn in turns),
        sum(turn.output_tokens for turn in turns),
    )
    assert row["usd"] == sum(turn.cost for turn in turns)
    assert (row["unpriced"], row["coverage"]) == (0, 1)


@every_conversation
def test_each_answered_turn_has_its_tokens_its_money_and_its_speech(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT turns.input_tokens AS input, turns.output_tokens AS output, model_speech_ms,"
        " turns.cost_usd AS usd, end_reason"
        " FROM livemeter.live_turns AS turns"
        " JOIN livemeter.live_sessions AS sessions ON sessions.session_id = turns.session_id"
        " WHERE app = {app:String} AND has_output ORDER BY turns.started_at"
    )

    assert [Turn(row["input"], row["output"], row["model_speech_ms"], row["usd"]) for row in rows] == TURNS[
        name
    ]
    assert {row["end_reason"] for row in rows} == {"complete"}


# LiveKit 1.0 says a last word as it leaves: see below.
@pytest.mark.parametrize(
    "name",
    [name for name in CONVERSATIONS if name != "livekit-oldest"],
)
def test_there_are_no_other_turns(observed: ObservedBy, name: str) -> None:
    [row] = observed(name).rows(
        "SELECT sum(turns) AS turns FROM livemeter.live_sessions WHERE app = {app:String}"
    )

    assert row["turns"] == len(TURNS[name])


@every_conversation
def test_tokens_are_told_apart_by_kind_and_modality(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT kind, modality, sum(quantity) AS quantity FROM livemeter.live_usage"
        " WHERE app = {app:String} AND billable GROUP BY kind, modality"
    )

    assert {(row["kind"], row["modality"]): row["quantity"] for row in rows} == TOKENS[name]


@every_conversation
def test_the_tool_call_is_answered_by_its_id(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT name, call_id, turn, status, id_match, latency_ms FROM livemeter.live_tool_calls AS calls"
        " JOIN livemeter.live_sessions AS sessions ON sessions.session_id = calls.session_id"
        " WHERE app = {app:String} AND called_at IS NOT NULL"
    )

    [call] = rows
    assert (call["name"], call["call_id"], call["turn"]) == ("get_weather", "call-1", 1)
    assert (call["status"], call["id_match"]) == ("ok", "yes")
    assert call["latency_ms"] > 0


@every_conversation
def test_each_close_is_told_who_closed_and_why(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT close_code, close_reason, closed_by, diagnosis, ended_well, phase, clean"
        " FROM livemeter.live_closes WHERE app = {app:String} ORDER BY closed_at"
    )

    assert [
        Close(row["close_code"], row["close_reason"], row["closed_by"], row["diagnosis"], row["ended_well"])
        for row in rows
    ] == CLOSES[name]
    assert {(row["phase"], bool(row["clean"])) for row in rows} == {("active", True)}


@every_conversation
def test_the_close_is_the_one_that_the_server_saw(observed: ObservedBy, name: str) -> None:
    seen = observed(name)
    rows = seen.rows(
        "SELECT close_code, closed_by FROM livemeter.live_connections WHERE app = {app:String}"
        " ORDER BY opened_at"
    )

    assert [(row["close_code"], row["closed_by"]) for row in rows] == [
        (connection.close_code, connection.closed_by) for connection in seen.connections
    ]


def locked(framework: str, package: str) -> str:
    """The version that the framework's environment holds."""
    lock = (ROOT / "requirements" / "frameworks" / f"{framework}.txt").read_text("utf-8")
    [version] = re.findall(rf"^{re.escape(package)}==(\S+)", lock, re.MULTILINE)
    return str(version)


@every_conversation
def test_framework_sdk_and_socket_are_known_by_their_versions(observed: ObservedBy, name: str) -> None:
    rows = observed(name).rows(
        "SELECT DISTINCT framework_name, framework_version, sdk_version, websockets_version"
        " FROM livemeter.connections FINAL WHERE app = {app:String}"
    )

    framework = CONVERSATIONS[name].framework
    distribution, package = DISTRIBUTIONS[framework]
    [row] = rows
    assert (row["framework_name"], row["framework_version"]) == (distribution, locked(framework, package))
    assert row["sdk_version"] == locked(framework, "google-genai")
    assert row["websockets_version"] == locked(framework, "websockets")


@every_conversation
@pytest.mark.parametrize("table", ["logs", "otel_traces"])
def test_neither_key_nor_handle_left_the_process(observed: ObservedBy, name: str, table: str) -> None:
    [row] = observed(name).rows(
        "SELECT countIf(position(text, 'gemini-') > 0) AS told,"
        f" countIf(multiSearchAny(text, ['{KEY}', 'handle-'])) AS secrets"
        f" FROM (SELECT toString(tuple(*)) AS text FROM livemeter.{table} WHERE ServiceName = {{app:String}})"
    )

    assert row["told"] > 0
    assert row["secrets"] == 0


def test_adk_answers_a_call_before_gemini_3_only_after_turn_complete(observed: ObservedBy) -> None:
    [connection] = observed("adk-before-3").connections
    [response] = connection.of_kind("toolResponse")
    completed = [frame for frame in connection.sent if "turnComplete" in str(frame.message)]

    # What the account says of it is above: two turns, and a latency that holds the waiting.
    assert completed[0].sent_at < response.received_at < completed[1].sent_at


def test_livekit_1_0_says_a_last_word_that_nobody_answers(observed: ObservedBy) -> None:
    seen = observed("livekit-oldest")
    rows = seen.rows(
        "SELECT turn, end_reason, turns.input_tokens AS input FROM livemeter.live_turns AS turns"
        " JOIN livemeter.live_sessions AS sessions ON sessions.session_id = turns.session_id"
        " WHERE app = {app:String} AND NOT has_output"
    )

    said_on_leaving = seen.connections[0].kinds[-1] == "clientContent"
    assert [(row["turn"], row["end_reason"], row["input"]) for row in rows] == (
        [(3, "connection_closed", None)] if said_on_leaving else []
    )


def test_pipecat_s_repeated_answers_are_duplicates_also_on_the_next_connection(observed: ObservedBy) -> None:
    rows = observed("pipecat").rows(
        "SELECT call_id, id_match, latency_ms FROM livemeter.live_tool_calls AS calls"
        " JOIN livemeter.live_sessions AS sessions ON sessions.session_id = calls.session_id"
        " WHERE app = {app:String} AND called_at IS NULL"
    )

    assert rows
    told = {(row["call_id"], row["id_match"], row["latency_ms"]) for row in rows}
    assert told == {("call-1", "duplicate", None)}


def test_pydantic_ai_counts_the_same_cost_but_for_the_transcripts(observed: ObservedBy) -> None:
    seen = observed("pydantic-ai")
    [row] = seen.rows(
        "SELECT sumIf(usd, modality != 'TRANSCRIPTION') AS usd FROM livemeter.live_session_costs AS costs"
        " JOIN livemeter.live_sessions AS sessions ON sessions.session_id = costs.session_id"
        " WHERE app = {app:String}"
    )

    assert row["usd"] == Decimal(seen.printed["cost_usd"])
