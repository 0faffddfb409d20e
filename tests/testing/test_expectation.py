"""What a waiting step makes of the messages that come."""

from livemeter.testing.expectation import Expectation, Verdict
from livemeter.testing.steps import Expect

AUDIO = ("realtimeInput.audio",)
CONTENT = ("clientContent", "turn")


def test_a_count_is_met_by_exactly_that_many() -> None:
    waiting = Expectation(Expect("clientContent", count=2))
    assert [waiting.offer(CONTENT), waiting.offer(CONTENT)] == [Verdict.WAITING, Verdict.MET]


def test_audio_goes_on_while_waiting_for_something_else() -> None:
    for kind in ("toolResponse", "clientContent", "realtimeInput.activityEnd"):
        assert Expectation(Expect(kind)).offer(AUDIO) is Verdict.WAITING


def test_nothing_may_come_before_the_setup() -> None:
    assert Expectation(Expect("setup")).offer(AUDIO) is Verdict.UNEXPECTED


def test_other_messages_are_unexpected_unless_the_step_ignores_them() -> None:
    assert Expectation(Expect("toolResponse")).offer(CONTENT) is Verdict.UNEXPECTED
    assert Expectation(Expect("toolResponse", ignoring=("clientContent",))).offer(CONTENT) is Verdict.WAITING
    assert Expectation(Expect("toolResponse", ignoring=())).offer(AUDIO) is Verdict.UNEXPECTED


def test_what_is_no_json_object_is_always_unexpected() -> None:
    assert Expectation(Expect("any", ignoring=("any",))).offer(("invalid",)) is Verdict.UNEXPECTED


def test_at_least_tolerates_more_of_the_kind_in_the_steps_that_follow() -> None:
    waiting = Expectation(Expect("clientContent", at_least=2))
    assert [waiting.offer(CONTENT), waiting.offer(CONTENT)] == [Verdict.WAITING, Verdict.MET]
    later = Expectation(Expect("toolResponse"), waiting.tolerated_later)
    assert later.offer(CONTENT) is Verdict.WAITING
    counted = Expectation(Expect("clientContent", count=2))
    assert counted.tolerated_later == frozenset()


def test_audio_can_be_waited_for_by_its_milliseconds() -> None:
    waiting = Expectation(Expect("realtimeInput.audio", at_least_audio_ms=100))
    assert [waiting.offer(AUDIO, 50), waiting.offer(AUDIO, 49), waiting.offer(AUDIO, 20)] == [
        Verdict.WAITING,
        Verdict.WAITING,
        Verdict.MET,
    ]
