"""Steps check themselves where they are written."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from livemeter.testing import (
    Abort,
    Close,
    Expect,
    GoAway,
    Pause,
    RefuseHandshake,
    Repeat,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)


def wrong(value: object) -> Any:
    """A value of the wrong type, past the type checker."""
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Expect("clientcontent"), "unknown kind 'clientcontent'"),
        (lambda: Expect("setup", ignoring=("nothing",)), "unknown kind 'nothing'"),
        (lambda: Expect("setup", count=0), "must be above 0"),
        (lambda: Expect("setup", count=wrong("1")), "count cannot be"),
        (lambda: Send({}), "only unknown keys (none)"),
        (lambda: Send({"error": {}, "other": 1}), "only unknown keys (error, other)"),
        (lambda: Send({"goAway": object()}), "message is not JSON"),
        (lambda: SendAudio(0), "above 0"),
        (lambda: SendAudio(True), "ms cannot be True, it takes float"),
        (lambda: Usage(prompt={"SOUND": 1}), "unknown modality 'SOUND'"),
        (lambda: Usage(prompt=wrong("TEXT")), "prompt cannot be"),
        (lambda: Usage(spelling=wrong("x")), "it takes 'platform' or 'response' or 'candidates'"),
        (lambda: GoAway("50"), 'must be a duration such as "50s"'),
        (lambda: Pause(-1), "must not be negative"),
        (lambda: Close(1006), "use Abort"),
        (lambda: Close(1005, "why"), "cannot have a reason"),
        (lambda: Close(999), "999 is no close code"),
        (lambda: RefuseHandshake(200), "200 is no HTTP error status"),
        (lambda: RefuseHandshake(599), "599 is no HTTP error status"),
        (lambda: Repeat((SendAudio(20),)), "needs an Expect"),
        (lambda: Repeat((Expect("turn"), Abort())), "cannot be repeated"),
        (lambda: Repeat((Expect("turn"), Repeat((Expect("turn"),)))), "cannot be repeated"),
        (lambda: Repeat((Expect("turn"),), times=0), "above 0"),
    ],
)
def test_a_wrong_step_says_what_is_wrong_in_one_line(make: Callable[[], Step], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_unknown_message_can_be_sent_on_purpose() -> None:
    assert Send({"error": {"code": 429}}, allow_unknown=True).message == {"error": {"code": 429}}


def test_a_step_shows_only_what_was_set() -> None:
    assert repr(Expect("turn", timeout_s=2)) == "Expect(kind='turn', timeout_s=2)"
    assert repr(SetupComplete()) == "SetupComplete()"
    assert len(repr(Send({"serverContent": {"text": "x" * 5000}}))) < 200


def test_every_close_code_of_the_field_can_be_sent() -> None:
    for code in (1000, 1001, 1005, 1007, 1008, 1011, 1013, 4000):
        assert Close(code).code == code
