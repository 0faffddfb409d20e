"""Messages of the server: spelling of usage, audio, close reasons."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.testing.server_frames import (
    audio_messages,
    close_reason,
    message_of,
    resumption_message,
    setup_complete_message,
    spell_usage,
    usage_message,
)
from livemeter.testing.steps import ResumptionUpdate, Send, SendAudio, SetupComplete, Usage

USAGE = Usage(
    prompt={"TEXT": 410, "AUDIO": 131},
    response={"AUDIO": 156},
    tool_use_prompt={"TEXT": 9},
    cached_content={"TEXT": 100},
    thoughts_token_count=30,
)


def test_usage_carries_every_count_and_detail_in_response_names() -> None:
    assert usage_message(USAGE) == {
        "usageMetadata": {
            "promptTokenCount": 541,
            "cachedContentTokenCount": 100,
            "responseTokenCount": 156,
            "toolUsePromptTokenCount": 9,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 541 + 156 + 9 + 30,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 410},
                {"modality": "AUDIO", "tokenCount": 131},
            ],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 156}],
            "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        }
    }


def test_counts_larger_than_their_details_and_an_odd_total_are_sent_as_given() -> None:
    step = Usage(prompt={"TEXT": 332, "AUDIO": 165}, prompt_token_count=522, response_token_count=42)
    usage = usage_message(step)["usageMetadata"]
    assert (usage["promptTokenCount"], usage["responseTokenCount"], usage["totalTokenCount"]) == (
        522,
        42,
        564,
    )
    assert "responseTokensDetails" not in usage
    assert (
        usage_message(Usage(response={"AUDIO": 1}, total_token_count=7))["usageMetadata"]["totalTokenCount"]
        == 7
    )


def test_usage_rides_on_the_message_it_is_bundled_with() -> None:
    message = usage_message(
        Usage(response={"AUDIO": 1}, bundled_with={"serverContent": {"turnComplete": True}})
    )
    assert list(message) == ["serverContent", "usageMetadata"]


@pytest.mark.parametrize(
    ("platform", "spelling", "named"),
    [
        ("gemini_api", "platform", "response"),
        ("vertex_ai", "platform", "candidates"),
        ("vertex_ai", "response", "response"),
        ("gemini_api", "candidates", "candidates"),
    ],
)
def test_output_tokens_are_named_as_the_platform_does_unless_told(
    platform: Any, spelling: Any, named: str
) -> None:
    usage: dict[str, Any] = {"promptTokenCount": 1, "responseTokenCount": 2, "responseTokensDetails": []}
    spelled = spell_usage({"usageMetadata": usage, "goAway": {}}, platform, spelling)
    assert spelled["goAway"] == {}
    assert set(spelled["usageMetadata"]) == {
        "promptTokenCount",
        f"{named}TokenCount",
        f"{named}TokensDetails",
    }


def test_usage_within_a_sent_message_is_spelled_too_and_the_script_is_left_alone() -> None:
    step = Send({"serverContent": {"turnComplete": True}, "usageMetadata": {"responseTokenCount": 5}})
    assert message_of(step, "vertex_ai")["usageMetadata"] == {"candidatesTokenCount": 5}
    assert message_of(step, "gemini_api") is step.message
    assert step.message["usageMetadata"] == {"responseTokenCount": 5}


@given(
    ms=st.integers(1, 3000),
    chunk_ms=st.integers(1, 500),
    rate=st.sampled_from([8000, 16_000, 24_000, 44_100]),
)
def test_audio_has_exactly_the_samples_asked_for_and_joins_without_gaps(
    ms: int, chunk_ms: int, rate: int
) -> None:
    chunks = [_pcm(m, rate) for m in audio_messages(SendAudio(ms, chunk_ms=chunk_ms, sample_rate=rate))]
    [whole] = (_pcm(m, rate) for m in audio_messages(SendAudio(ms, chunk_ms=ms, sample_rate=rate)))
    assert b"".join(chunks) == whole
    assert len(whole) == 2 * round(ms * rate / 1000)
    assert all(len(chunk) == 2 * round(chunk_ms * rate / 1000) for chunk in chunks[:-1])


def test_audio_is_not_silent_and_the_same_every_time() -> None:
    first, again = (list(audio_messages(SendAudio(40))) for _ in range(2))
    assert first == again
    assert any(_pcm(first[0], 24_000))


def _pcm(message: Any, rate: int) -> bytes:
    [part] = message["serverContent"]["modelTurn"]["parts"]
    assert part["inlineData"]["mimeType"] == f"audio/pcm;rate={rate}"
    return base64.b64decode(part["inlineData"]["data"], validate=True)


@given(st.text(max_size=200))
def test_a_close_reason_fits_its_frame_and_is_cut_between_characters(reason: str) -> None:
    cut = close_reason(reason)
    assert reason.startswith(cut)
    assert len(cut.encode()) <= 123
    if cut != reason:
        assert len(reason[: len(cut) + 1].encode()) > 123


def test_session_ids_and_handles_are_the_minted_ones_unless_given() -> None:
    assert setup_complete_message(SetupComplete(), "s-1") == {"setupComplete": {"sessionId": "s-1"}}
    assert setup_complete_message(SetupComplete("mine"), "s-1") == {"setupComplete": {"sessionId": "mine"}}
    assert setup_complete_message(SetupComplete(""), "s-1") == {"setupComplete": {}}
    update = resumption_message(ResumptionUpdate(), "h-1")
    assert update == {"sessionResumptionUpdate": {"newHandle": "h-1", "resumable": True}}
    assert json.dumps(resumption_message(ResumptionUpdate(resumable=False), "h-1")).find("h-1") == -1
