"""Tool calls: matched to their answers, timed, and never lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.clock import Instant
from livemeter.observer.connection import send_failed
from livemeter.observer.encoding import wire_bytes
from livemeter.observer.facts import FramesRecorded, ToolCallEnded
from livemeter.observer.tools import (
    MAX_ENDED_IDS,
    MAX_HELD_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_OPEN_CALLS,
    ToolTracker,
)
from livemeter.vocabulary import Direction, EncodingFinding, IdMatch, ToolStatus
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
from tests.observer.strategies import JSON_VALUES

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
        encoding=(EncodingFinding.PLAIN_STRING,),
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


# What is told about an answer, and what only with the application's leave.

AT = Instant(monotonic_ns=50 * MS, wall_ns=1_800_000_000_000 * MS)


def at(milliseconds: int) -> Instant:
    return Instant(AT.monotonic_ns + milliseconds * MS, AT.wall_ns + milliseconds * MS)


def asked(*calls: Json, capture_content: bool = False) -> ToolTracker:
    """A tracker that has seen ``calls`` in turn 3."""
    tools = ToolTracker(capture_content=capture_content)
    assert tools.called(tool_call(*calls), 3, AT) == []
    return tools


def answered(tools: ToolTracker, *answers: Json, after_ms: int = 0, **more: bool) -> list[ToolCallEnded]:
    return tools.responded(tool_response(*answers), 4, at(after_ms), **more)


def test_what_is_odd_about_a_response_is_said_in_order() -> None:
    tools = asked(call("a"), call("b"))
    inner, plain = answered(tools, answer("a", output='{"é":1}'), answer("b", output=1), valid_utf8=False)
    assert inner.encoding == ("invalid_utf8", "json_in_string", "non_ascii", "plain_string")
    # The frame's bytes are told of every answer in it.
    assert plain.encoding == ("invalid_utf8",)


def test_an_answer_whose_bytes_are_no_utf_8_is_read_all_the_same() -> None:
    line = live()
    line.server(tool_call(call("a")))
    frame = b'{"toolResponse":{"functionResponses":[{"id":"a","response":{"r":"\xff"}}]}}'
    line.raw(Direction.SENT, frame)
    ended = line.fact_of(ToolCallEnded)
    assert (ended.status, ended.id_match) == (ToolStatus.OK, IdMatch.YES)
    assert EncodingFinding.INVALID_UTF8 in ended.encoding


def test_a_response_that_is_no_object_is_found_and_measured() -> None:
    (ended,) = answered(asked(call("a")), {"id": "a", "name": "get_time", "response": "noon"})
    assert ended.encoding == (EncodingFinding.NOT_AN_OBJECT,)
    assert (ended.status, ended.response_bytes) == (ToolStatus.OK, 6)


@pytest.mark.parametrize("nothing", [{}, {"response": None}, {"response": None, "parts": None}])
def test_an_answer_without_a_response_has_no_bytes_and_nothing_odd(nothing: Json) -> None:
    (ended,) = answered(asked(call("a")), {"id": "a", **nothing})
    assert (ended.response_bytes, ended.encoding, ended.status) == (0, (), ToolStatus.OK)


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_media_results_count(spelled: Spelling) -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": "A" * 1_000}}]
    message = tool_response({"id": "a", "name": "get_time", "response": {"ok": True}, "parts": parts})
    (ended,) = asked(call("a")).responded(spelled(message), 4, AT)
    # {"ok":true} is 11 bytes; the spelling of the parts is as sent.
    assert ended.response_bytes == 11 + len(json.dumps(spelled({"p": parts})["p"], separators=(",", ":")))


@pytest.mark.parametrize("spelled", SPELLINGS)
@pytest.mark.parametrize("said", [None, False])
def test_scheduling_and_the_end_of_a_call_are_told_as_sent(spelled: Spelling, said: bool | None) -> None:
    more = {"scheduling": "WHEN_IDLE"} if said is None else {"scheduling": "WHEN_IDLE", "willContinue": said}
    (ended,) = asked(call("a")).responded(spelled(tool_response(answer("a") | more)), 4, AT)
    assert (ended.scheduling, ended.will_continue) == ("WHEN_IDLE", said)


def test_an_id_that_is_null_is_none() -> None:
    tools = asked({"id": None, "name": "get_time", "args": None})
    (ended,) = answered(tools, {"id": None, "name": "get_time", "response": {}})
    assert (ended.call_id, ended.id_match, ended.request_bytes, tools.open_calls) == (
        "",
        IdMatch.ABSENT,
        2,
        0,
    )


@pytest.mark.parametrize("odd", [7, 1.5, True, {}, {"a": 1}, [], ["a"]])
def test_an_id_that_is_no_string_is_none(odd: object) -> None:
    """The server takes strings alone, so it meets no call by that id either."""
    tools = asked({"id": odd, "name": "get_time"}, call("b", "score"))
    (ended,) = answered(tools, {"id": odd, "name": "score", "response": {}})
    assert (ended.call_id, ended.id_match) == ("b", IdMatch.ABSENT)
    tools.cancelled({"toolCallCancellation": {"ids": [odd, ""]}}, AT)
    assert tools.open_calls == 1


def test_a_call_without_an_id_is_answered_by_name_whatever_id_is_made_up() -> None:
    tools = asked({"name": "get_time"}, {"name": "get_time"})
    first, second = answered(tools, answer("mine-2"), answer("mine-1"), after_ms=20)
    assert (first.call_id, first.id_match, first.latency_ms) == ("mine-2", IdMatch.NO, 20)
    assert (second.call_id, second.id_match, second.latency_ms) == ("mine-1", IdMatch.NO, 20)
    (again,) = answered(tools, answer("mine-1"))
    assert (again.id_match, again.latency_ms) == (IdMatch.DUPLICATE, None)


def test_a_made_up_id_answers_one_call() -> None:
    tools = asked({"name": "get_time"}, {"name": "get_time"})
    once, twice = answered(tools, answer("mine"), answer("mine"))
    assert (once.id_match, twice.id_match) == (IdMatch.NO, IdMatch.DUPLICATE)
    assert tools.open_calls == 1


def test_a_made_up_id_never_answers_a_call_that_has_one() -> None:
    tools = asked(call("a"))
    (stray,) = answered(tools, answer("mine"))
    assert (stray.id_match, stray.called_at_ns, tools.open_calls) == (IdMatch.NO, None, 1)


def test_the_open_calls_are_counted() -> None:
    tools = asked(call("a"), call("b"), call("c"))
    assert tools.open_calls == 3
    answered(tools, answer("a"))
    tools.cancelled(cancellation("b"), AT)
    assert tools.open_calls == 1
    tools.connection_closed(AT)
    assert tools.open_calls == 0


# Answers in several parts.


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_answers_that_continue_are_one_call_with_the_bytes_of_all(spelled: Spelling) -> None:
    tools = asked(call("a", zone="UTC"))
    first = answer("a", text="é") | {"willContinue": True, "scheduling": "SILENT"}
    second = answer("a", n=[1]) | {"willContinue": True}
    last = answer("a") | {"willContinue": False, "scheduling": "INTERRUPT"}
    assert tools.responded(spelled(tool_response(first)), 4, at(10)) == []
    assert tools.responded(spelled(tool_response(second)), 5, at(20)) == []
    assert tools.open_calls == 1
    assert tools.responded(spelled(tool_response(last)), 6, at(30)) == [
        ToolCallEnded(
            at_ns=at(30).wall_ns,
            turn=3,
            call_id="a",
            name="get_time",
            called_at_ns=AT.wall_ns,
            responded_at_ns=at(30).wall_ns,
            latency_ms=30,
            request_bytes=14,
            # {"text":"é"} is 13 bytes, {"n":[1]} 9 and {} 2.
            response_bytes=24,
            id_match=IdMatch.YES,
            in_flight=1,
            status=ToolStatus.OK,
            encoding=(EncodingFinding.NESTED_OBJECT, EncodingFinding.NON_ASCII, EncodingFinding.PLAIN_STRING),
            scheduling="INTERRUPT",
            will_continue=False,
        )
    ]
    assert tools.connection_closed(AT) == []


def test_a_last_answer_that_does_not_say_so_ends_the_call() -> None:
    tools = asked(call("a"))
    answered(tools, answer("a") | {"willContinue": True})
    (ended,) = answered(tools, answer("a"))
    assert (ended.id_match, ended.will_continue) == (IdMatch.YES, False)
    (again,) = answered(tools, answer("a"))
    assert again.id_match is IdMatch.DUPLICATE


def test_a_scheduling_holds_until_another_is_said() -> None:
    tools = asked(call("a"))
    answered(tools, answer("a") | {"willContinue": True, "scheduling": "SILENT"})
    (ended,) = answered(tools, answer("a"))
    assert ended.scheduling == "SILENT"


def test_an_error_in_any_answer_is_an_error_of_the_call() -> None:
    """A generator that failed says so first, and then that it is done."""
    tools = asked(call("a"))
    answered(tools, answer("a", error="no such city") | {"willContinue": True})
    (ended,) = answered(tools, answer("a") | {"willContinue": False})
    assert ended.status is ToolStatus.ERROR


@pytest.mark.parametrize(("response", "status"), [({}, ToolStatus.OK), ({"error": 1}, ToolStatus.ERROR)])
def test_what_was_answered_in_part_stands_when_the_connection_closes(
    response: Json, status: ToolStatus
) -> None:
    tools = asked(call("a"), call("b"))
    answered(tools, {"id": "a", "response": response, "willContinue": True}, after_ms=40)
    partly, never = tools.connection_closed(at(100))
    assert (partly.call_id, partly.status, partly.will_continue) == ("a", status, True)
    assert (partly.at_ns, partly.responded_at_ns, partly.latency_ms) == (at(100).wall_ns, at(40).wall_ns, 40)
    assert (never.call_id, never.status, never.will_continue) == ("b", ToolStatus.UNANSWERED, None)


def test_a_call_that_is_cancelled_amid_its_answers_keeps_what_it_got() -> None:
    tools = asked(call("a"))
    answered(tools, answer("a", ok=True) | {"willContinue": True}, after_ms=5)
    (ended,) = tools.cancelled(cancellation("a"), at(9))
    assert (ended.status, ended.response_bytes, ended.will_continue) == (ToolStatus.CANCELLED, 11, True)
    # The generator does not know yet: each of its answers stands by itself.
    late = answered(tools, answer("a") | {"willContinue": True}, answer("a") | {"willContinue": True})
    assert [(fact.id_match, fact.will_continue) for fact in late] == [(IdMatch.LATE, True)] * 2


def test_answers_without_ids_continue_the_oldest_call_of_that_name() -> None:
    tools = asked({"name": "get_time"}, {"name": "get_time"})
    more: Json = {"name": "get_time", "response": {}, "willContinue": True}
    done: Json = {"name": "get_time", "response": {}}
    assert answered(tools, more, more) == []
    first, second = answered(tools, done, done)
    assert (first.response_bytes, first.will_continue) == (6, False)
    assert (second.response_bytes, second.will_continue) == (2, None)


def test_answers_under_an_id_of_their_own_continue_their_own_call() -> None:
    tools = asked({"name": "get_time"}, {"name": "get_time"})
    assert answered(tools, *(answer(own) | {"willContinue": True} for own in ("x", "y", "x"))) == []
    y, x = answered(tools, answer("y"), answer("x"))
    assert [(fact.call_id, fact.response_bytes, fact.id_match) for fact in (y, x)] == [
        ("y", 4, IdMatch.NO),
        ("x", 6, IdMatch.NO),
    ]


# Content.


def test_arguments_and_results_are_kept_with_leave_and_not_without() -> None:
    for capture_content, arguments, result in (
        (True, '{"zone":"é"}', '{"secret":"of the tool"}'),
        (False, "", ""),
    ):
        tools = asked(call("a", zone="é"), capture_content=capture_content)
        (ended,) = answered(tools, answer("a", secret="of the tool"))
        assert (ended.arguments, ended.result) == (arguments, result)


@pytest.mark.parametrize("capture_content", [True, False])
def test_without_leave_nothing_of_the_content_is_held(capture_content: bool) -> None:
    tools = asked(call("a", words="of the caller"), capture_content=capture_content)
    answered(tools, answer("a", words="of the tool") | {"willContinue": True})
    held = repr(vars(tools))
    assert ("of the caller" in held, "of the tool" in held) == (capture_content, capture_content)


def test_the_results_of_several_answers_are_an_array_in_their_order() -> None:
    tools = asked(call("a"), capture_content=True)
    answered(tools, answer("a", n=1) | {"willContinue": True}, answer("a", n=2) | {"willContinue": True})
    (ended,) = answered(tools, answer("a"))
    assert ended.result == '[{"n":1},{"n":2},{}]'


def test_media_is_no_content_that_is_kept() -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
    (ended,) = answered(asked(call("a"), capture_content=True), answer("a", ok=True) | {"parts": parts})
    assert ended.result == '{"ok":true}'


def test_content_that_waits_is_bounded_and_leaves_room_again() -> None:
    half = "x" * (MAX_HELD_CHARACTERS // 2)
    tools = asked(call("a", q=half), call("b", q=half), call("c", q=""), capture_content=True)
    a, b, c = answered(tools, answer("a"), answer("b", q=half * 3), answer("c"))
    # {"q":""} around each half: the second does not fit any more, a small one still does.
    assert (len(a.arguments), b.arguments, c.arguments) == (len(half) + 8, "", '{"q":""}')
    # A result does not wait.
    assert len(b.result) == 3 * len(half) + 8
    tools.called(tool_call(call("d", q=half)), 3, AT)
    (d,) = answered(tools, answer("d"))
    assert len(d.arguments) == len(half) + 8


def test_results_that_wait_are_bounded_too() -> None:
    half = "x" * (MAX_HELD_CHARACTERS // 2)
    tools = asked(call("a"), capture_content=True)
    for _ in range(3):
        answered(tools, answer("a", r=half) | {"willContinue": True})
    (ended,) = answered(tools, answer("a", r=half))
    # {"r":""} around the first that waited and the last, brackets and a comma; the bytes are those of all.
    assert len(ended.result) == 2 * (len(half) + 8) + 3
    assert ended.response_bytes == 4 * (len(half) + 8)


# Bounds.


def test_open_calls_are_bounded_and_the_oldest_ends_unanswered() -> None:
    tools = asked(*(call(f"id-{number}") for number in range(MAX_OPEN_CALLS)))
    answered(tools, answer("id-1") | {"willContinue": True})
    ended = tools.called(tool_call(call("x"), call("y")), 5, at(8))
    assert [(fact.call_id, fact.status, fact.at_ns) for fact in ended] == [
        ("id-0", ToolStatus.UNANSWERED, at(8).wall_ns),
        ("id-1", ToolStatus.OK, at(8).wall_ns),
    ]
    assert tools.open_calls == MAX_OPEN_CALLS
    assert [fact.id_match for fact in answered(tools, answer("id-0"), answer("id-1"), answer("id-2"))] == [
        IdMatch.LATE,
        IdMatch.DUPLICATE,
        IdMatch.YES,
    ]


def test_ids_and_names_are_compared_and_kept_up_to_a_length() -> None:
    tools = asked(call("i" * 300, "n" * 300))
    (ended,) = answered(tools, {"id": "i" * 256, "scheduling": "s" * 300, "response": {}})
    assert ended.id_match is IdMatch.YES
    assert {len(ended.call_id), len(ended.name), len(ended.scheduling)} == {MAX_NAME_CHARACTERS}


IDS = st.sampled_from(["a", "b", "c", "", None, 7])
NAMES = st.sampled_from(["f", "g", None])
PAYLOADS: st.SearchStrategy[Any] = st.sampled_from(
    [{}, {"a": "é"}, {"error": 1}, {"b": [{}]}, [], "x", 7, None]
)
CALLS = st.fixed_dictionaries({"id": IDS, "name": NAMES, "args": PAYLOADS})
ANSWERS = st.fixed_dictionaries(
    {
        "id": IDS,
        "name": NAMES,
        "response": PAYLOADS,
        "willContinue": st.sampled_from([True, False, None, 1]),
    }
)
EVENTS = st.lists(
    st.one_of(
        st.lists(CALLS, max_size=3).map(lambda calls: ("call", calls)),
        st.lists(ANSWERS, max_size=3).map(lambda answers: ("answer", answers)),
        st.lists(IDS, max_size=2).map(lambda ids: ("cancel", ids)),
    ),
    max_size=12,
)


@given(EVENTS, st.booleans())
def test_every_call_ends_once_and_every_answer_is_counted_once(
    events: list[tuple[str, list[Any]]], capture_content: bool
) -> None:
    tools = ToolTracker(capture_content=capture_content)
    facts: list[ToolCallEnded] = []
    calls, response_bytes = 0, 0
    for number, (kind, items) in enumerate(events):
        if kind == "call":
            calls += len(items)
            facts += tools.called({"toolCall": {"functionCalls": items}}, number, at(number))
        elif kind == "answer":
            response_bytes += sum(
                wire_bytes(item["response"]) for item in items if item["response"] is not None
            )
            facts += tools.responded({"toolResponse": {"functionResponses": items}}, number, at(number))
        else:
            facts += tools.cancelled({"toolCallCancellation": {"ids": items}}, at(number))
        assert tools.open_calls + sum(fact.called_at_ns is not None for fact in facts) == calls
    facts += tools.connection_closed(at(len(events)))
    assert sum(fact.called_at_ns is not None for fact in facts) == calls
    assert sum(fact.response_bytes for fact in facts) == response_bytes
    assert all((fact.status is ToolStatus.UNANSWERED) <= (fact.responded_at_ns is None) for fact in facts)
    assert capture_content or not any(fact.arguments or fact.result for fact in facts)


@given(JSON_VALUES, JSON_VALUES, st.booleans())
def test_payloads_of_any_shape_can_be_tracked(one: Any, other: Any, whole: bool) -> None:
    tools = ToolTracker(capture_content=True)
    for value in (one, other, one):
        tools.called({"toolCall": value if whole else {"functionCalls": [value, other]}}, 1, AT)
        tools.responded({"toolResponse": value if whole else {"functionResponses": [value, other]}}, 1, AT)
        tools.cancelled({"toolCallCancellation": value if whole else {"ids": value}}, AT)
    for fact in tools.connection_closed(AT):
        assert max(len(fact.call_id), len(fact.name), len(fact.scheduling)) <= MAX_NAME_CHARACTERS
        (fact.call_id + fact.name + fact.scheduling + fact.arguments + fact.result).encode()


def test_content_nested_deeper_than_the_stack_is_measured_and_left_out() -> None:
    deep: object = None
    for _ in range(100_000):
        deep = [deep]
    tools = asked({"id": "a", "args": deep}, capture_content=True)
    (ended,) = answered(tools, {"id": "a", "response": deep})
    # Two brackets a level around null.
    assert (ended.request_bytes, ended.response_bytes) == (200_004, 200_004)
    assert (ended.arguments, ended.result) == ("", "")
