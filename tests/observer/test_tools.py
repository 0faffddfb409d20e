"""Tool calls: matched to their answers, timed, and never lost."""

import pytest

from livemeter.observer.connection import send_failed
from livemeter.observer.facts import FramesRecorded, ToolCallEnded
from livemeter.observer.tools import MAX_ENDED_IDS
from livemeter.vocabulary import Direction, IdMatch, ToolStatus
from tests.observer.harness import (
    SPELLINGS,
    TURN_COMPLETE,
    Json,
    Line,
    Spelling,
    ask,
    bundle,
    cancellation,
    live,
    tool_call,
    tool_response,
)

MS = 1_000_000


def call(call_id: str, name: str = "get_time", **args: object) -> Json:
    return {"id": call_id, "name": name, "args": args}


def answer(call_id: str, name: str = "get_time", **response: object) -> Json:
    return {"id": call_id, "name": name, "response": response}


def endings(line: Line) -> list[tuple[str, ToolStatus, IdMatch]]:
    return [(fact.call_id, fact.status, fact.id_match) for fact in line.facts_of(ToolCallEnded)]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_call_and_its_answer(spelled: Spelling) -> None:
    line = live()
    line.client(ask())
    called_at = line.clock.now.wall_ns + 100 * MS
    line.server(spelled(tool_call(call("fc_1", zone="UTC"))), after_ms=100)
    line.client(spelled(tool_response(answer("fc_1", time="12:00"))), after_ms=250)
    assert line.fact_of(ToolCallEnded) == ToolCallEnded(
        at_ns=called_at + 250 * MS,
        turn=1,
        call_id="fc_1",
        name="get_time",
        called_at_ns=called_at,
        responded_at_ns=called_at + 250 * MS,
        latency_ms=250,
        # The bytes of {"zone":"UTC"} and of {"time":"12:00"}.
        request_bytes=14,
        response_bytes=16,
        id_match=IdMatch.YES,
        in_flight=1,
        status=ToolStatus.OK,
    )


def test_sizes_are_bytes_and_not_characters() -> None:
    line = live()
    line.server(tool_call(call("a", q="é")))
    line.client(tool_response(answer("a", r="ü€")))
    fact = line.fact_of(ToolCallEnded)
    # {"q":"é"} is 9 characters, é takes two bytes; {"r":"ü€"} is 10, ü takes two and € three.
    assert (fact.request_bytes, fact.response_bytes) == (10, 13)


def test_arguments_and_results_leave_as_sizes_only() -> None:
    line = live()
    line.server(tool_call(call("a", secret="of the caller")))
    line.client(tool_response(answer("a", secret="of the tool")))
    assert "of the" not in repr(line.facts)


def test_several_calls_and_answers_in_one_message() -> None:
    line = live()
    line.server(tool_call(call("a"), call("b", "score")))
    line.server(tool_call(call("c")))
    line.client(tool_response(answer("b", "score"), answer("a")))
    line.client(tool_response(answer("c")))
    assert [(fact.call_id, fact.name) for fact in line.facts_of(ToolCallEnded)] == [
        ("b", "score"),
        ("a", "get_time"),
        ("c", "get_time"),
    ]
    # How many were open when each was made, itself included.
    assert {fact.call_id: fact.in_flight for fact in line.facts_of(ToolCallEnded)} == {"a": 1, "b": 2, "c": 3}


def test_a_call_belongs_to_the_turn_in_which_it_was_made() -> None:
    """On some models the pass that calls a tool ends with a turnComplete of its own."""
    line = live()
    line.client(ask())
    line.server(bundle(tool_call(call("a")), TURN_COMPLETE))
    line.client(tool_response(answer("a")))
    assert line.fact_of(ToolCallEnded).turn == 1


# How an answer relates to the calls.


def test_an_answer_without_an_id_is_matched_by_name() -> None:
    line = live()
    line.server(tool_call(call("a", "get_time"), call("b", "score")))
    line.client(tool_response({"name": "score", "response": {}}), after_ms=70)
    fact = line.fact_of(ToolCallEnded)
    assert (fact.call_id, fact.name, fact.id_match, fact.latency_ms) == ("b", "score", IdMatch.ABSENT, 70)


def test_an_answer_without_an_id_answers_the_oldest_call_of_that_name() -> None:
    line = live()
    line.server(tool_call(call("a"), call("b")))
    for _ in range(2):
        line.client(tool_response({"name": "get_time", "response": {}}))
    assert endings(line) == [("a", ToolStatus.OK, IdMatch.ABSENT), ("b", ToolStatus.OK, IdMatch.ABSENT)]


def test_calls_without_ids_are_answered_without_ids() -> None:
    line = live()
    line.server(tool_call({"name": "get_time", "args": {}}))
    line.client(tool_response({"name": "get_time", "response": {}}), after_ms=5)
    fact = line.fact_of(ToolCallEnded)
    assert (fact.call_id, fact.id_match, fact.latency_ms) == ("", IdMatch.ABSENT, 5)


def test_an_answer_without_a_name_takes_that_of_the_call() -> None:
    line = live()
    line.server(tool_call(call("a", "score")))
    line.client(tool_response({"id": "a", "response": {}}))
    assert line.fact_of(ToolCallEnded).name == "score"


def test_an_answer_by_another_name_keeps_it() -> None:
    line = live()
    line.server(tool_call(call("a", "score")))
    line.client(tool_response(answer("a", "scores")))
    fact = line.fact_of(ToolCallEnded)
    assert (fact.name, fact.id_match) == ("scores", IdMatch.YES)


def test_an_id_that_nobody_asked_for_answers_nothing() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response(answer("typo", done=True)))
    line.close()
    wrong, open_call = line.facts_of(ToolCallEnded)
    assert (wrong.call_id, wrong.id_match, wrong.status) == ("typo", IdMatch.NO, ToolStatus.OK)
    assert (wrong.called_at_ns, wrong.latency_ms, wrong.request_bytes) == (None, None, 0)
    # The bytes of {"done":true}.
    assert wrong.response_bytes == 13
    assert (open_call.call_id, open_call.status) == ("a", ToolStatus.UNANSWERED)


def test_a_second_answer_is_a_duplicate() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response(answer("a")))
    line.client(tool_response(answer("a")))
    line.client(tool_response(answer("a"), answer("a")))
    assert [fact.id_match for fact in line.facts_of(ToolCallEnded)] == [
        IdMatch.YES,
        IdMatch.DUPLICATE,
        IdMatch.DUPLICATE,
        IdMatch.DUPLICATE,
    ]


def test_an_answer_by_id_after_one_by_name_is_a_duplicate() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response({"name": "get_time", "response": {}}))
    line.client(tool_response(answer("a")))
    assert [fact.id_match for fact in line.facts_of(ToolCallEnded)] == [IdMatch.ABSENT, IdMatch.DUPLICATE]


def test_an_id_used_again_is_a_new_call() -> None:
    line = live()
    for _ in range(2):
        line.server(tool_call(call("a")))
        line.client(tool_response(answer("a")), after_ms=10)
    assert endings(line) == [("a", ToolStatus.OK, IdMatch.YES)] * 2


def test_a_cancelled_call_ends_unanswered() -> None:
    line = live()
    line.server(tool_call(call("a"), call("b")))
    line.server(cancellation("a", "never-called"))
    cancelled = line.fact_of(ToolCallEnded)
    assert (cancelled.call_id, cancelled.status) == ("a", ToolStatus.CANCELLED)
    assert (cancelled.responded_at_ns, cancelled.latency_ms, cancelled.response_bytes) == (None, None, 0)
    line.client(tool_response(answer("b")))
    assert endings(line)[1] == ("b", ToolStatus.OK, IdMatch.YES)


def test_an_answer_to_a_cancelled_call_is_late() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.server(cancellation("a"))
    line.client(tool_response(answer("a")))
    assert endings(line) == [
        ("a", ToolStatus.CANCELLED, IdMatch.ABSENT),
        ("a", ToolStatus.OK, IdMatch.LATE),
    ]


def test_calls_that_nobody_answered_end_with_the_connection() -> None:
    line = live()
    line.server(tool_call(call("a"), call("b")))
    line.client(tool_response(answer("a")))
    line.close()
    assert endings(line) == [("a", ToolStatus.OK, IdMatch.YES), ("b", ToolStatus.UNANSWERED, IdMatch.ABSENT)]


def test_the_ids_that_are_remembered_are_bounded() -> None:
    line = live()
    for number in range(MAX_ENDED_IDS + 1):
        line.server(tool_call(call(f"id-{number}")))
        line.client(tool_response(answer(f"id-{number}")))
    for number in (0, 1):
        line.client(tool_response(answer(f"id-{number}")))
    forgotten, remembered = line.facts_of(ToolCallEnded)[-2:]
    assert (forgotten.id_match, remembered.id_match) == (IdMatch.NO, IdMatch.DUPLICATE)


# How a call went.


@pytest.mark.parametrize("error", ["no such city", {"code": 5}, True])
def test_a_response_that_tells_an_error_is_one(error: object) -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response(answer("a", error=error)))
    assert endings(line) == [("a", ToolStatus.ERROR, IdMatch.YES)]


@pytest.mark.parametrize("nothing", [None, False, "", {}])
def test_an_error_that_says_nothing_is_none(nothing: object) -> None:
    """Many tools answer with both keys, one of them null."""
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response(answer("a", result=1, error=nothing)))
    assert endings(line) == [("a", ToolStatus.OK, IdMatch.YES)]


def test_a_send_that_fails_is_told_with_the_size_that_was_tried() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.clock.wait(600)
    observed = line.client(tool_response(answer("a", text="x" * 1_000)))
    before, frames = observed
    assert isinstance(before, ToolCallEnded)
    failed, kept = send_failed(observed)
    assert isinstance(failed, ToolCallEnded)
    assert failed.status is ToolStatus.SEND_FAILED
    # {"text":"…"} is 11 characters around the thousand.
    assert (failed.call_id, failed.response_bytes, failed.id_match) == ("a", 1_011, IdMatch.YES)
    assert isinstance(frames, FramesRecorded)
    assert kept == frames
    assert before.status is ToolStatus.OK


def test_every_answer_of_a_message_that_was_not_sent_has_failed() -> None:
    line = live()
    line.server(tool_call(call("a"), call("b")))
    observed = line.client(tool_response(answer("a"), answer("b", error="x"), answer("c")))
    statuses = [fact.status for fact in send_failed(observed) if isinstance(fact, ToolCallEnded)]
    assert statuses == [ToolStatus.SEND_FAILED] * 3


def test_an_empty_tool_response_ends_nothing() -> None:
    line = live()
    line.server(tool_call(call("a")))
    line.client(tool_response())
    assert line.facts_of(ToolCallEnded) == []


@pytest.mark.parametrize("depth", range(900, 1_000, 3))
def test_arguments_nested_as_deep_as_json_can_be_read_are_measured_or_unknown(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    line = live()
    line.raw(Direction.RECEIVED, f'{{"toolCall":{{"functionCalls":[{{"id":"a","args":{{"x":{nested}}}}}]}}}}')
    line.close()
    # Two brackets a level and {"x":} around them.
    assert [fact.request_bytes for fact in line.facts_of(ToolCallEnded)] in ([], [2 * depth + 6])
