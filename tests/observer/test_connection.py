"""One connection from the dial to its end: phases, goAway, close, and frames that nobody should send."""

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemeter.observer.connection import Close
from livemeter.observer.facts import (
    ConnectionClosed,
    ConnectionStarted,
    FramesRecorded,
    GoAwayReceived,
    Identity,
    Setup,
    ToolCallEnded,
    TurnEnded,
    UsageReported,
)
from livemeter.vocabulary import ClosedBy, Direction, Phase
from tests.observer.harness import (
    CLEAN_CLOSE,
    MODEL,
    SETUP_COMPLETE,
    SPELLINGS,
    START,
    TURN_COMPLETE,
    Json,
    Line,
    Process,
    Spelling,
    ask,
    audio,
    bundle,
    go_away,
    live,
    microphone,
    new_handle,
    setup,
    tool_call,
    tool_response,
    usage,
)
from tests.observer.strategies import ANY_STEPS, PROTOCOL_STEPS, TRAPS, Step, damaged_frames

ABORTED = Close(code=1008, reason="The operation was aborted.", closed_by=ClosedBy.SERVER, clean=True)

# Coming to life.


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_connection_starts_when_the_server_answers_the_setup(spelled: Spelling) -> None:
    line = Process().dial()
    line.clock.wait(120)
    line.observer.opened()
    assert line.client(spelled(setup()), after_ms=30) == []
    (started,) = line.server(spelled(SETUP_COMPLETE), after_ms=200)
    assert isinstance(started, ConnectionStarted)
    setup_bytes, config = started.setup.bytes, started.setup.config
    assert setup_bytes == len(json.dumps(spelled(setup())))
    assert started == ConnectionStarted(
        # 120 + 30 + 200
        at_ns=START.wall_ns + 350_000_000,
        opened_at_ns=START.wall_ns,
        setup_ms=350,
        setup=Setup(
            model=MODEL, vad_mode="automatic", session_resumption=True, bytes=setup_bytes, config=config
        ),
        google_session_id="google-session",
        attempt=1,
        resumed_from="",
        reconnect_delay_ms=None,
        gap_ms=None,
    )
    assert line.observer.model == MODEL


def test_a_connection_starts_once() -> None:
    line = live()
    line.server(SETUP_COMPLETE)
    assert len(line.facts_of(ConnectionStarted)) == 1


def test_phases_only_move_forward() -> None:
    line = Process().dial()
    phases = [line.observer.phase]
    for step in (
        line.observer.opened,
        lambda: line.client(setup()),
        lambda: line.server(SETUP_COMPLETE),
        line.observer.opened,
    ):
        step()
        phases.append(line.observer.phase)
    assert phases == [Phase.HANDSHAKE, Phase.SETUP, Phase.SETUP, Phase.ACTIVE, Phase.ACTIVE]


def test_the_setup_complete_frame_may_bundle_more() -> None:
    line = Process().dial()
    line.client(setup())
    line.server(bundle(SETUP_COMPLETE, new_handle("h"), audio(), usage(334, 20)))
    assert line.fact_of(UsageReported).usage.prompt == 334


def test_only_the_first_setup_counts() -> None:
    """The server refuses a second one; the session of the connection stays what it was."""
    line = live()
    line.client(ask())
    line.client({"setup": {"model": "models/other"}})
    line.client({"setup": {}})
    line.close()
    closed = line.fact_of(ConnectionClosed)
    assert (closed.setup.model, closed.attempt, closed.resumed_from) == (MODEL, 1, "")
    assert line.fact_of(TurnEnded).turn == 1


def test_a_setup_that_comes_too_late_is_read_and_counts_nothing_again() -> None:
    process = Process()
    process.connect("c0", identity=Identity("s")).close()
    line = process.dial("c1", identity=Identity("s"))
    line.client(ask())
    line.client(setup())
    line.server(bundle(audio(), TURN_COMPLETE))
    line.flush()
    assert line.observer.model == MODEL
    assert line.fact_of(FramesRecorded).turns == (1, 1, 1)


# The end.


def test_a_handshake_that_was_refused_closes_in_the_phase_handshake() -> None:
    line = Process().dial(identity=Identity("lesson"))
    (closed,) = line.close(Close(http_status=403, error_type="InvalidStatus"), after_ms=80)
    assert closed == ConnectionClosed(
        at_ns=START.wall_ns + 80_000_000,
        opened_at_ns=START.wall_ns,
        duration_ms=80,
        setup=Setup(),
        code=None,
        reason="",
        closed_by=ClosedBy.NONE,
        clean=False,
        phase=Phase.HANDSHAKE,
        http_status=403,
        error_type="InvalidStatus",
        attempt=1,
        resumed_from="",
        since_tool_response_ms=None,
        since_go_away_ms=None,
        go_away_overrun_ms=None,
        context_tokens=None,
        last_sent_at_ns=None,
        last_received_at_ns=None,
    )


def test_a_setup_that_was_refused_closes_in_the_phase_setup() -> None:
    line = Process().dial()
    line.client(setup(), after_ms=100)
    refused = Close(1007, "Request contains an invalid argument.", ClosedBy.SERVER, clean=True)
    line.close(refused, after_ms=60)
    closed = line.fact_of(ConnectionClosed)
    assert (closed.phase, closed.code, closed.setup.model) == (Phase.SETUP, 1007, MODEL)
    assert closed.last_sent_at_ns == START.wall_ns + 100_000_000
    assert closed.last_received_at_ns is None
    assert line.facts_of(ConnectionStarted) == []
    assert line.fact_of(FramesRecorded).kinds == ("setup",)


def test_a_close_tells_what_its_owner_saw() -> None:
    line = live()
    line.client(microphone(), after_ms=1_000)
    line.server(audio(), after_ms=500)
    line.close(ABORTED, after_ms=300)
    closed = line.fact_of(ConnectionClosed)
    assert (closed.code, closed.reason) == (1008, "The operation was aborted.")
    assert (closed.closed_by, closed.clean, closed.phase) == (ClosedBy.SERVER, True, Phase.ACTIVE)
    assert closed.duration_ms == 1_800
    assert closed.last_sent_at_ns == START.wall_ns + 1_000_000_000
    assert closed.last_received_at_ns == START.wall_ns + 1_500_000_000


def test_the_close_comes_last_and_everything_open_before_it() -> None:
    line = live()
    line.client(ask())
    line.server(tool_call({"id": "a", "name": "f"}))
    assert [type(fact) for fact in line.close()] == [
        FramesRecorded,
        ToolCallEnded,
        TurnEnded,
        ConnectionClosed,
    ]


def test_a_connection_closes_once() -> None:
    line = live()
    line.close(ABORTED)
    assert line.close(CLEAN_CLOSE) == []
    assert line.server(audio()) == []
    assert line.flush() == []
    assert line.fact_of(ConnectionClosed).code == 1008


def test_the_close_tells_how_long_ago_the_last_tool_response_was_sent() -> None:
    line = live()
    line.server(tool_call({"id": "a", "name": "f"}))
    line.client(tool_response({"id": "wrong", "response": {}}))
    line.client(tool_response({"id": "a", "response": {}}), after_ms=400)
    line.client(microphone(), after_ms=30)
    line.close(ABORTED, after_ms=90)
    # 30 + 90
    assert line.fact_of(ConnectionClosed).since_tool_response_ms == 120


def test_without_a_tool_response_that_time_is_unknown() -> None:
    line = live()
    line.client(tool_response())
    line.close()
    assert line.fact_of(ConnectionClosed).since_tool_response_ms is None


# goAway.


@pytest.mark.parametrize(
    ("frame", "time_left_ms"),
    [
        (go_away("50s"), 50_000),
        (go_away("1.5s"), 1_500),
        ({"go_away": {"time_left": "50s"}}, 50_000),
        (go_away("soon"), None),
        ({"goAway": {}}, None),
    ],
)
def test_a_go_away_tells_the_time_left(frame: Json, time_left_ms: float | None) -> None:
    line = live()
    line.server(frame, after_ms=540)
    assert line.fact_of(GoAwayReceived) == GoAwayReceived(START.wall_ns + 540_000_000, time_left_ms)


@pytest.mark.parametrize(
    ("frame", "after_ms", "overrun_ms"),
    [
        # Closed 59.7 s after a goAway that left 50 s.
        (go_away("50s"), 59_700, 9_700),
        (go_away("50s"), 20_000, 0),
        (go_away("0s"), 20_000, 20_000),
        ({"goAway": {}}, 20_000, None),
    ],
)
def test_a_close_after_a_go_away_tells_how_far_it_was_overrun(
    frame: Json, after_ms: float, overrun_ms: float | None
) -> None:
    line = live()
    line.server(frame)
    line.close(after_ms=after_ms)
    closed = line.fact_of(ConnectionClosed)
    assert (closed.since_go_away_ms, closed.go_away_overrun_ms) == (after_ms, overrun_ms)


def test_the_last_go_away_holds() -> None:
    line = live()
    line.server(go_away("50s"))
    line.server(go_away("10s"), after_ms=30_000)
    line.close(after_ms=12_000)
    closed = line.fact_of(ConnectionClosed)
    assert (closed.since_go_away_ms, closed.go_away_overrun_ms) == (12_000, 2_000)


def test_a_close_without_a_go_away_has_overrun_nothing() -> None:
    line = live()
    line.close()
    closed = line.fact_of(ConnectionClosed)
    assert (closed.since_go_away_ms, closed.go_away_overrun_ms) == (None, None)


# Whatever comes over the wire.


def play(line: Line, steps: list[Step]) -> None:
    for direction, raw, after_ms in steps:
        line.raw(direction, raw, after_ms=after_ms)


def leaves(value: Any) -> list[object]:
    """Every number and string in a fact."""
    if is_dataclass(value):
        return [leaf for field in fields(value) for leaf in leaves(getattr(value, field.name))]
    if isinstance(value, dict):
        return leaves(list(cast("dict[object, object]", value).items()))
    if isinstance(value, list | tuple):
        return [leaf for item in cast("list[object]", value) for leaf in leaves(item)]
    return [value]


def can_be_exported(leaf: object) -> bool:
    """OTLP takes UTF-8, 64-bit integers and finite doubles; one that is not spoils its whole batch."""
    if isinstance(leaf, str):
        return leaf.encode("utf-8", "replace").decode() == leaf
    if isinstance(leaf, int):
        return -(2**63) <= leaf < 2**63
    return math.isfinite(leaf) if isinstance(leaf, float) else leaf is None


@pytest.mark.parametrize("damage", TRAPS, ids=lambda damage: repr(damage)[:24])
def test_no_value_anywhere_in_a_frame_raises_or_spoils_an_export(damage: object) -> None:
    for direction, raw in damaged_frames(damage):
        line = Process().dial()
        if '"setup"' not in raw:
            line.client(setup())
        line.server(tool_call({"id": "a", "name": "f"}))
        line.raw(direction, raw)
        line.close()
        assert not_exportable(line) == [], raw


def not_exportable(line: Line) -> list[object]:
    return [leaf for fact in line.facts for leaf in leaves(fact) if not can_be_exported(leaf)]


@settings(deadline=None)
@given(st.lists(ANY_STEPS, max_size=30), st.integers(min_value=0, max_value=30))
def test_any_frame_at_any_time_is_recorded_once_and_never_raises(
    steps: list[Step], flushed_after: int
) -> None:
    line = Process().dial()
    play(line, steps[:flushed_after])
    line.flush()
    play(line, steps[flushed_after:])
    line.close()
    line.close()
    batches = line.facts_of(FramesRecorded)
    recorded = [
        (batch.first_seq + row, Direction.RECEIVED if received else Direction.SENT, size)
        for batch in batches
        for row, (received, size) in enumerate(zip(batch.directions, batch.bytes, strict=True))
    ]
    assert recorded == [
        (seq, direction, len(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")))
        for seq, (direction, raw, _) in enumerate(steps)
    ]
    assert len(line.facts_of(ConnectionClosed)) == 1


@settings(deadline=None)
@given(st.lists(ANY_STEPS, max_size=30))
def test_the_columns_of_a_batch_are_equally_long(steps: list[Step]) -> None:
    line = Process().dial()
    play(line, steps)
    line.close()
    for batch in line.facts_of(FramesRecorded):
        numbers = (batch.offsets_ms, batch.directions, batch.bytes, batch.audio_ms, batch.turns)
        assert {len(column) for column in (*numbers, batch.contents)} == {len(batch.kinds)}


@settings(deadline=None)
@given(st.lists(ANY_STEPS, max_size=30))
def test_every_fact_can_be_exported(steps: list[Step]) -> None:
    line = Process().dial()
    play(line, steps)
    line.close()
    assert not_exportable(line) == []


@settings(deadline=None)
@given(
    st.lists(st.lists(ANY_STEPS, max_size=20), min_size=1, max_size=3), st.sampled_from([None, Identity("s")])
)
def test_numbers_never_decrease(connections: list[list[Step]], identity: Identity | None) -> None:
    """Within a connection, and from one to the next where the application says that they are one session."""
    process = Process()
    ended: list[int] = []
    passes: list[int] = []
    for number, steps in enumerate(connections):
        line = process.connect(f"c{number}", identity=identity)
        play(line, steps)
        line.close()
        check_numbers(line)
        ended = [*(ended if identity else []), *(turn.turn for turn in line.facts_of(TurnEnded))]
        passes = [
            *(passes if identity else []),
            *(report.pass_number for report in line.facts_of(UsageReported)),
        ]
        assert ended == list(range(1, len(ended) + 1))
        assert passes == sorted(passes)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(min_value=0, max_value=1), PROTOCOL_STEPS), max_size=40))
def test_numbers_never_decrease_on_connections_that_overlap(steps: list[tuple[int, Step]]) -> None:
    process = Process()
    lines = [process.connect(name, identity=Identity("s")) for name in ("c1", "c2")]
    for which, step in steps:
        play(lines[which], [step])
    for line in lines:
        line.close()
        check_numbers(line)


@settings(deadline=None)
@given(st.lists(ANY_STEPS, max_size=30))
def test_numbers_never_decrease_also_without_a_setup(steps: list[Step]) -> None:
    line = Process().dial(identity=Identity("s"))
    play(line, steps)
    line.close()
    check_numbers(line)


def check_numbers(line: Line) -> None:
    of_frames = [turn for batch in line.facts_of(FramesRecorded) for turn in batch.turns]
    of_turns = [turn.turn for turn in line.facts_of(TurnEnded)]
    of_usage = [report.turn for report in line.facts_of(UsageReported)]
    of_passes = [report.pass_number for report in line.facts_of(UsageReported)]
    for numbers in (of_frames, of_turns, of_usage, of_passes):
        assert numbers == sorted(numbers)
    assert len(set(of_turns)) == len(of_turns)


@settings(deadline=None)
@given(st.lists(PROTOCOL_STEPS, max_size=40))
def test_every_usage_frame_is_reported_and_every_pass_counted_once(steps: list[Step]) -> None:
    line = live()
    play(line, steps)
    reports = line.facts_of(UsageReported)
    sent = sum(direction is Direction.RECEIVED and "usageMetadata" in str(raw) for direction, raw, _ in steps)
    assert len(reports) == sent
    assert [report.pass_number for report in reports if not report.repeat] == list(
        range(1, len(reports) - sum(report.repeat for report in reports) + 1)
    )


@settings(deadline=None)
@given(st.lists(PROTOCOL_STEPS, max_size=40))
def test_every_tool_call_ends_once(steps: list[Step]) -> None:
    line = live()
    play(line, steps)
    line.close()
    # Each toolCall frame of the strategy holds two calls.
    made = 2 * sum(
        direction is Direction.RECEIVED and '"toolCall"' in str(raw) for direction, raw, _ in steps
    )
    assert sum(fact.called_at_ns is not None for fact in line.facts_of(ToolCallEnded)) == made
