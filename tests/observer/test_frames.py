"""One message to one frame: its kind, everything it bundles, its bytes and its audio."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.frames import UNKNOWN, Frame, read_frame
from livemeter.vocabulary import Direction
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    CAMERA,
    GENERATION_COMPLETE,
    INTERRUPTED,
    REALTIME_TEXT,
    SETUP_COMPLETE,
    TURN_COMPLETE,
    Json,
    ask,
    audio,
    bundle,
    cancellation,
    go_away,
    heard,
    microphone,
    new_handle,
    said,
    setup,
    to_snake,
    tool_call,
    tool_response,
    usage,
    words,
)

SENT = Direction.SENT
RECEIVED = Direction.RECEIVED


def sent(message: Json) -> Frame:
    return read_frame(SENT, json.dumps(message))


def received(message: Json) -> Frame:
    return read_frame(RECEIVED, json.dumps(message))


def part(**content: object) -> Json:
    return {"serverContent": {"modelTurn": {"parts": [content]}}}


def image_part(mime_type: str) -> Json:
    return part(inlineData={"mimeType": mime_type, "data": "AAAA"})


SENT_KINDS: dict[str, Json] = {
    "setup": setup(),
    "clientContent": ask(),
    "toolResponse": tool_response({"id": "a", "name": "f", "response": {}}),
    "contextUpdate": {"contextUpdate": {"tools": {"tools": []}}},
    "audio": microphone(),
    "video": CAMERA,
    "text": REALTIME_TEXT,
    "mediaChunks": {"realtimeInput": {"mediaChunks": [{"mimeType": "image/jpeg", "data": "AAAA"}]}},
    "activityStart": ACTIVITY_START,
    "activityEnd": ACTIVITY_END,
    "audioStreamEnd": {"realtimeInput": {"audioStreamEnd": True}},
}

RECEIVED_KINDS: dict[str, Json] = {
    "setupComplete": SETUP_COMPLETE,
    "audio": audio(),
    "video": image_part("video/mp4"),
    "image": image_part("image/png"),
    "inlineData": image_part("application/pdf"),
    "text": words("Hi"),
    "thought": part(text="Hm", thought=True),
    "executableCode": part(executableCode={"code": "1"}),
    "codeExecutionResult": part(codeExecutionResult={"output": "1"}),
    "inputTranscription": heard("Hi"),
    "outputTranscription": said("Hi"),
    "interimInputTranscription": {"serverContent": {"interimInputTranscription": {"text": "H"}}},
    "interrupted": INTERRUPTED,
    "generationComplete": GENERATION_COMPLETE,
    "turnComplete": TURN_COMPLETE,
    "groundingMetadata": {"serverContent": {"groundingMetadata": {}}},
    "urlContextMetadata": {"serverContent": {"urlContextMetadata": {}}},
    "toolCall": tool_call({"id": "a", "name": "f", "args": {}}),
    "toolCallCancellation": cancellation("a"),
    "usageMetadata": usage(1, 2),
    "goAway": go_away(),
    "sessionResumptionUpdate": new_handle("h"),
    "voiceActivity": {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "3.2s"}},
    "voiceActivityDetectionSignal": {"voiceActivityDetectionSignal": {"vadSignalType": "START"}},
    "error": {"error": {"code": 400, "message": "no"}},
}


@pytest.mark.parametrize("kind", SENT_KINDS)
def test_a_sent_frame_is_known_in_both_spellings(kind: str) -> None:
    message = SENT_KINDS[kind]
    assert (sent(message).kind, sent(message).contents) == (kind, (kind,))
    assert (sent(to_snake(message)).kind, sent(to_snake(message)).contents) == (kind, (kind,))


@pytest.mark.parametrize("kind", RECEIVED_KINDS)
def test_a_received_frame_is_known_in_both_spellings(kind: str) -> None:
    message = RECEIVED_KINDS[kind]
    assert (received(message).kind, received(message).contents) == (kind, (kind,))
    assert (received(to_snake(message)).kind, received(to_snake(message)).contents) == (kind, (kind,))


def test_the_python_sdk_mixes_spellings_within_a_frame() -> None:
    raw = '{"realtime_input":{"mediaChunks":[{"data":"AAA=","mime_type":"audio/pcm;rate=16000"}]}}'
    # "AAA=" is two bytes, one sample of 1/16 ms.
    assert read_frame(SENT, raw).audio_ms == pytest.approx(1 / 16)


def test_every_field_of_a_bundled_frame_counts() -> None:
    frame = received(
        bundle(audio(40), said("Hi"), heard("Ho"), GENERATION_COMPLETE, TURN_COMPLETE, usage(1, 2))
    )
    assert frame.kind == "audio"
    assert set(frame.contents) == {
        "audio",
        "outputTranscription",
        "inputTranscription",
        "generationComplete",
        "turnComplete",
        "usageMetadata",
    }
    assert frame.audio_ms == pytest.approx(40)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (bundle(said("Hi"), audio()), "audio"),
        (bundle(said("Hi"), INTERRUPTED), "interrupted"),
        (bundle(usage(1, 2), TURN_COMPLETE), "turnComplete"),
        (bundle(INTERRUPTED, TURN_COMPLETE), "interrupted"),
        (bundle(usage(1, 2), tool_call({"id": "a"})), "toolCall"),
        (bundle(usage(1, 2), go_away()), "usageMetadata"),
    ],
)
def test_a_bundled_frame_is_named_after_what_says_most_about_it(message: Json, kind: str) -> None:
    assert received(message).kind == kind


def test_several_parts_of_a_kind_are_one_content_and_all_their_audio() -> None:
    parts = [
        *audio(40)["serverContent"]["modelTurn"]["parts"],
        *audio(60)["serverContent"]["modelTurn"]["parts"],
    ]
    frame = received({"serverContent": {"modelTurn": {"parts": [*parts, {"text": "Hi"}]}}})
    assert frame.contents == ("audio", "text")
    assert frame.audio_ms == pytest.approx(100)


def test_a_flag_that_is_false_says_nothing() -> None:
    assert received({"serverContent": {"turnComplete": False, "interrupted": None}}).contents == ()


@pytest.mark.parametrize(
    ("mime_type", "size", "milliseconds"),
    [
        # PCM16: two bytes a sample, so 100 ms are 1,600 samples or 3,200 bytes at 16 kHz, and so on.
        ("audio/pcm;rate=16000", 3_200, 100),
        ("audio/pcm;rate=24000", 4_800, 100),
        ("audio/pcm;rate=8000", 1_600, 100),
        ("audio/pcm; rate=48000", 9_600, 100),
        ("AUDIO/PCM;RATE=16000", 3_200, 100),
        # Without a rate that a sound card could have, the documented input rate holds.
        ("audio/pcm", 3_200, 100),
        ("audio/pcm;rate=0", 3_200, 100),
        ("audio/pcm;rate=" + "9" * 400, 3_200, 100),
        ("audio/opus", 3_200, 0),
        ("image/jpeg", 3_200, 0),
        ("", 3_200, 0),
    ],
)
def test_audio_time_follows_from_bytes_and_rate(mime_type: str, size: int, milliseconds: float) -> None:
    data = base64.b64encode(bytes(size)).decode()
    frame = sent({"realtimeInput": {"audio": {"mimeType": mime_type, "data": data}}})
    assert frame.kind == "audio"
    assert frame.audio_ms == pytest.approx(milliseconds)


def test_received_audio_without_a_rate_is_24_khz() -> None:
    # 4,800 bytes are 2,400 samples.
    data = base64.b64encode(bytes(4_800)).decode()
    assert received(part(inlineData={"mimeType": "audio/pcm", "data": data})).audio_ms == pytest.approx(100)


def test_media_chunks_add_up_and_pictures_among_them_are_silent() -> None:
    # 320 bytes are 160 samples, 10 ms at 16 kHz; twice.
    chunk = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(bytes(320)).decode()}
    picture = {"mimeType": "image/jpeg", "data": "AAAA"}
    frame = sent({"realtimeInput": {"mediaChunks": [chunk, picture, chunk]}})
    assert frame.audio_ms == pytest.approx(20)


@given(st.binary(max_size=400))
def test_both_base64_alphabets_and_missing_padding_measure_the_same(content: bytes) -> None:
    standard, url_safe = base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()
    for data in (standard, url_safe, standard.rstrip("="), url_safe.rstrip("=")):
        frame = sent({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}})
        # 32 bytes are 16 samples, one millisecond.
        assert frame.audio_ms == pytest.approx(len(content) / 32)


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ('{"a":"é"}', 10),
        ('{"a":"é"}'.encode(), 10),
        ("", 0),
        (b"\xff\xfe", 2),
        # A lone surrogate never crosses a socket, and must not break the count either.
        ("\ud83d", 3),
    ],
)
def test_size_is_the_bytes_on_the_wire(raw: str | bytes, size: int) -> None:
    assert read_frame(RECEIVED, raw).size == size


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "no json",
        b"\xff\xfe\xfd",
        "null",
        "[1, 2]",
        '"text"',
        "{}",
        '{"newThing":{}}',
        '{"serverContent":[]}',
        '{"serverContent":{"modelTurn":{"parts":{"text":"no list"}}}}',
        '{"serverContent":{"modelTurn":{"parts":[null, 1, "x", []]}}}',
        '{"serverContent":{"turnComplete":"true"}}',
        '{"realtimeInput":7}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"n":' + "9" * 5_000 + "}",
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_what_cannot_be_read_is_unknown_and_still_a_frame(raw: str | bytes, direction: Direction) -> None:
    frame = read_frame(direction, raw)
    assert (frame.kind, frame.contents, frame.audio_ms) == (UNKNOWN, (), 0)


def test_a_blob_of_the_wrong_shape_has_no_audio() -> None:
    assert sent({"realtimeInput": {"audio": ["no", "blob"]}}).audio_ms == 0
    assert sent({"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": 7}}}).audio_ms == 0
    assert received(part(inlineData="no blob")).audio_ms == 0
