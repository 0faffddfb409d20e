"""Generation passes: every usage frame counts once, and each knows what was in the context before it."""

from collections.abc import Callable

import pytest

from livemeter.observer.facts import ConnectionClosed, Identity, Usage, UsageReported
from tests.observer.harness import (
    ACTIVITY_END,
    CAMERA,
    INTERRUPTED,
    REALTIME_TEXT,
    TURN_COMPLETE,
    Json,
    Line,
    Process,
    ask,
    audio,
    bundle,
    details,
    heard,
    live,
    microphone,
    new_handle,
    said,
    tool_call,
    tool_response,
    usage,
    words,
)


def told(line: Line) -> list[tuple[int, bool]]:
    """Each usage frame's pass and whether it repeats the one before."""
    return [(report.pass_number, report.repeat) for report in line.facts_of(UsageReported)]


# Which frame counts.


def test_every_pass_of_a_tool_turn_counts() -> None:
    """Worked example of a production session: 3,501 + 3,642 = 7,143 input tokens in one turn."""
    line = live()
    line.client(ask())
    line.server(bundle(tool_call({"id": "a", "name": "f"}), usage(3_501, 28)))
    line.client(tool_response({"id": "a", "name": "f", "response": {}}))
    line.server(bundle(audio(), TURN_COMPLETE, usage(3_642, 90)))
    reports = line.facts_of(UsageReported)
    assert told(line) == [(1, False), (2, False)]
    assert {report.turn for report in reports} == {1}
    assert sum(report.usage.prompt or 0 for report in reports if not report.repeat) == 7_143


def test_a_trailing_copy_repeats_the_pass() -> None:
    line = live()
    line.client(ask())
    line.server(bundle(audio(), TURN_COMPLETE, usage(541, 156)))
    line.server(usage(541, 156))
    line.server(usage(541, 156))
    assert told(line) == [(1, False), (1, True), (1, True)]


def test_a_copy_in_the_other_spelling_is_a_copy() -> None:
    line = live()
    line.server(bundle(audio(), usage(541, 156)))
    line.server({"usage_metadata": {"prompt_token_count": 541, "candidates_token_count": 156}})
    assert told(line) == [(1, False), (1, True)]


@pytest.mark.parametrize("between", [microphone(), CAMERA])
def test_a_copy_while_the_microphone_streams_on_is_a_copy(between: Json) -> None:
    line = live()
    line.server(bundle(audio(), TURN_COMPLETE, usage(541, 156)))
    line.client(between)
    line.server(usage(541, 156))
    assert told(line) == [(1, False), (1, True)]


@pytest.mark.parametrize("between", [heard("Hi"), said("Hi"), TURN_COMPLETE, INTERRUPTED, new_handle("h")])
def test_a_copy_after_frames_that_generate_nothing_is_a_copy(between: Json) -> None:
    line = live()
    line.server(bundle(audio(), usage(541, 156)))
    line.server(between)
    line.server(usage(541, 156))
    assert told(line) == [(1, False), (1, True)]


@pytest.mark.parametrize("output", [audio(), words("Hi"), tool_call({"id": "a", "name": "f"})])
def test_the_same_figures_after_new_output_are_a_new_pass(output: Json) -> None:
    line = live()
    line.server(bundle(audio(), usage(28, 28)))
    line.server(output)
    line.server(usage(28, 28))
    assert told(line) == [(1, False), (2, False)]


def test_the_same_figures_with_new_output_in_the_same_frame_are_a_new_pass() -> None:
    line = live()
    for _ in range(2):
        line.server(bundle(audio(), usage(28, 28)))
    assert told(line) == [(1, False), (2, False)]


@pytest.mark.parametrize(
    "request_", [ask(), REALTIME_TEXT, ACTIVITY_END, tool_response({"id": "a", "response": {}})]
)
def test_the_same_figures_after_a_new_request_are_a_new_pass(request_: Json) -> None:
    line = live()
    line.server(bundle(audio(), usage(28, 28)))
    line.client(request_)
    line.server(usage(28, 28))
    assert told(line) == [(1, False), (2, False)]


def test_different_figures_are_a_new_pass() -> None:
    line = live()
    line.server(bundle(audio(), usage(541, 156)))
    line.server(usage(541, 157))
    line.server(usage(541, 157, thoughtsTokenCount=3))
    line.server(usage(541, 157, thoughtsTokenCount=3, promptTokensDetails=details(TEXT=541)))
    assert told(line) == [(1, False), (2, False), (3, False), (4, False)]


def test_only_the_last_report_can_be_repeated() -> None:
    line = live()
    for prompt in (541, 600, 541):
        line.server(usage(prompt, 10))
    assert told(line) == [(1, False), (2, False), (3, False)]


def test_a_usage_frame_that_tells_nothing_is_kept() -> None:
    line = live()
    line.server({"usageMetadata": {}})
    assert line.fact_of(UsageReported).usage == Usage()


# What was in the context before.


def test_each_pass_knows_the_context_that_the_one_before_left() -> None:
    line = live()
    line.server(
        bundle(
            audio(),
            usage(410, 25, promptTokensDetails=details(TEXT=410), responseTokensDetails=details(AUDIO=25)),
        )
    )
    line.server(
        bundle(
            audio(),
            usage(
                522,
                42,
                promptTokensDetails=details(TEXT=332, AUDIO=165),
                responseTokensDetails=details(AUDIO=42),
            ),
        )
    )
    line.server(bundle(audio(), usage(700, 30)))
    line.server(bundle(audio(), usage(760, 30)))
    reports = line.facts_of(UsageReported)
    assert [report.previous_prompt for report in reports] == [None, 410, 522, 700]
    assert [report.previous_context for report in reports] == [
        {},
        {"TEXT": 410, "AUDIO": 25},
        # AUDIO 165 + 42 = 207; the prompt's details lack 522 - (332 + 165) = 25.
        {"TEXT": 332, "AUDIO": 207, "UNATTRIBUTED": 25},
        # No details at all: 700 + 30.
        {"UNATTRIBUTED": 730},
    ]


def test_what_is_carried_can_be_worked_out_from_the_previous_context() -> None:
    """Tokens billed again are, for each modality, at most what the pass before held."""
    line = live()
    first = usage(100, 40, promptTokensDetails=details(TEXT=100), responseTokensDetails=details(AUDIO=40))
    second = usage(
        165, 20, promptTokensDetails=details(TEXT=110, AUDIO=55), responseTokensDetails=details(AUDIO=20)
    )
    line.server(bundle(audio(), first))
    line.server(bundle(audio(), second))
    report = line.facts_of(UsageReported)[1]
    carried = {
        modality: min(tokens, report.previous_context.get(modality, 0))
        for modality, tokens in report.usage.prompt_details.items()
    }
    # TEXT min(110, 100), AUDIO min(55, 40): 140 carried, 165 - 140 = 25 fresh.
    assert carried == {"TEXT": 100, "AUDIO": 40}


def test_a_repeat_leaves_the_context_as_it_was() -> None:
    line = live()
    line.server(bundle(audio(), usage(100, 10)))
    line.server(usage(100, 10))
    line.server(bundle(audio(), usage(150, 5)))
    report = line.facts_of(UsageReported)[2]
    assert (report.previous_prompt, report.previous_context) == (100, {"UNATTRIBUTED": 110})


def test_thoughts_are_not_carried() -> None:
    line = live()
    line.server(bundle(audio(), usage(522, 42, thoughtsTokenCount=136, totalTokenCount=564)))
    line.server(bundle(audio(), usage(600, 10)))
    # 522 + 42, without the 136
    assert line.facts_of(UsageReported)[1].previous_context == {"UNATTRIBUTED": 564}


def test_the_prompt_before_stays_known_when_a_frame_tells_none() -> None:
    line = live()
    line.server(bundle(audio(), usage(100, 10)))
    line.server(bundle(audio(), {"usageMetadata": {"responseTokenCount": 5}}))
    line.server(bundle(audio(), usage(130, 10)))
    reports = line.facts_of(UsageReported)
    assert [report.previous_prompt for report in reports] == [None, 100, 100]


def test_audio_of_both_sides_is_in_the_context_and_what_a_pass_said_in_its_response() -> None:
    line = live()
    line.client(microphone(100))
    line.server(audio(40))
    line.server(bundle(audio(60), TURN_COMPLETE, usage(100, 10)))
    line.client(microphone(200))
    line.server(bundle(audio(30), TURN_COMPLETE, usage(150, 10)))
    reports = line.facts_of(UsageReported)
    # First 100 in, 40 + 60 out. Then the context is 100 in, 100 out and 200 in, and the response 30.
    assert [report.context_audio_ms for report in reports] == pytest.approx([100, 400])
    assert [report.response_audio_ms for report in reports] == pytest.approx([100, 30])


def test_the_close_tells_how_much_was_in_the_context() -> None:
    line = live()
    line.server(bundle(audio(), usage(541, 156)))
    line.server(usage(541, 156))
    line.close()
    # 541 + 156, once
    assert line.fact_of(ConnectionClosed).context_tokens == 697


def test_without_usage_the_context_is_unknown() -> None:
    line = live()
    line.server(bundle(audio(), TURN_COMPLETE))
    line.close()
    assert line.fact_of(ConnectionClosed).context_tokens is None


# Across connections.


def resume_by_handle(process: Process) -> Line:
    return process.connect("c2", handle="h1")


def resume_by_both(process: Process) -> Line:
    return process.connect("c2", handle="h1", identity=Identity("c1"))


@pytest.mark.parametrize("resume", [resume_by_handle, resume_by_both])
def test_a_resumed_connection_finds_the_context_and_says_which_pass_is_its_first(
    resume: Callable[[Process], Line],
) -> None:
    process = Process()
    first = process.connect("c1")
    first.client(microphone(100))
    first.server(bundle(audio(40), TURN_COMPLETE, usage(500, 50), new_handle("h1")))
    first.close()
    second = resume(process)
    second.server(bundle(audio(60), TURN_COMPLETE, usage(580, 30)))
    second.server(usage(580, 30))
    second.server(bundle(audio(), TURN_COMPLETE, usage(640, 20)))
    reports = second.facts_of(UsageReported)
    assert told(second) == [(2, False), (2, True), (3, False)]
    assert [report.first_after_resume for report in reports] == [True, False, False]
    # 500 + 50
    assert (reports[0].previous_prompt, reports[0].previous_context) == (500, {"UNATTRIBUTED": 550})
    # 100 in and 40 out on the first connection; the 60 are this pass's own.
    assert (reports[0].context_audio_ms, reports[0].response_audio_ms) == pytest.approx((140, 60))


def test_a_resume_in_another_process_is_flagged_and_its_context_unknown() -> None:
    line = Process().connect(handle="given-elsewhere")
    line.server(bundle(audio(), usage(580, 30)))
    report = line.fact_of(UsageReported)
    assert report.first_after_resume
    assert (report.previous_prompt, report.previous_context) == (None, {})


def test_a_fresh_connection_of_the_same_session_starts_with_an_empty_context() -> None:
    """Without a handle the server knows nothing of what was said, so nothing is billed again."""
    process = Process()
    identity = Identity("lesson")
    first = process.connect("c1", identity=identity)
    first.client(microphone(100))
    first.server(bundle(audio(40), TURN_COMPLETE, usage(500, 50)))
    first.close()
    second = process.connect("c2", identity=identity)
    second.server(bundle(audio(60), TURN_COMPLETE, usage(120, 30)))
    report = second.fact_of(UsageReported)
    assert (report.pass_number, report.first_after_resume) == (2, False)
    assert (report.previous_prompt, report.previous_context) == (None, {})
    assert (report.context_audio_ms, report.response_audio_ms) == pytest.approx((0, 60))


def test_the_same_figures_on_another_connection_are_another_pass() -> None:
    process = Process()
    first = process.connect("c1")
    first.server(bundle(audio(), usage(100, 10), new_handle("h1")))
    first.close()
    second = process.connect("c2", handle="h1")
    second.server(usage(100, 10))
    assert told(second) == [(2, False)]
