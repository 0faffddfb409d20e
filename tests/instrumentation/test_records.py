"""Facts to log records."""

import hashlib
import json
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from livemeter.diagnosis import CloseEvidence, diagnose_close
from livemeter.emit.arrivals import Loss
from livemeter.emit.connections import Origin, ended_well
from livemeter.emit.loss import dropped_record
from livemeter.emit.records import common_attributes, record_of, records_of
from livemeter.emit.tokens import usage_token_attribute
from livemeter.emit.values import NO_CONTENT, Record, Severity
from livemeter.observer.facts import Fact, Health, Identity, Setup, Usage
from livemeter.settings import FramesForm
from livemeter.vocabulary import Attribute, ClosedBy, DropReason, Event, Phase, UsageBody
from tests.instrumentation import examples
from tests.instrumentation.examples import CLOSED, FACTS, FRAMES, GEMINI, SETUP, STARTED, USAGE, VERTEX

GOLDEN = Path(__file__).parent / "golden" / "records.json"
ORIGIN = Origin(
    VERTEX,
    sdk_version="3.4.0",
    websockets_version="17.4",
    framework_name="livekit-plugins-google",
    framework_version="1.5.2",
    python_version="3.11.7",
    os_type="linux",
    ping_interval_s=20.0,
    ping_timeout_s=20.0,
)
RECORDS = [
    *(record_of(fact, ORIGIN) for fact in FACTS),
    *records_of(FRAMES, ORIGIN, FramesForm.RECORDS),
    dropped_record(DropReason.QUEUE_FULL, Loss(512, 17, 4242), CLOSED.at_ns),
]


def as_json(record: Record) -> dict[str, object]:
    plain = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "content"}
    plain["attributes"] = dict(sorted(record.attributes.items()))
    if record.content != NO_CONTENT:
        plain["content"] = {"attributes": record.content.attributes, "body": record.content.body}
    return plain


def test_one_record_of_every_kind_is_as_committed() -> None:
    """Regenerate with LIVEMETER_REGENERATE=1 and read the difference."""
    records = json.dumps([as_json(record) for record in RECORDS], indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("LIVEMETER_REGENERATE") == "1":
        GOLDEN.write_text(records, "utf-8")
    assert records == GOLDEN.read_text("utf-8")


def test_the_records_cover_every_event() -> None:
    assert {record.event for record in RECORDS} == set(Event)


def test_the_records_use_every_attribute_of_events() -> None:
    """What is missing is on spans, on metrics or on every event; or the record of a bad close has it."""
    used = {name for record in RECORDS for name in {**record.attributes, **record.content.attributes}}
    elsewhere = {
        *(Attribute.CONNECTION_ID, Attribute.SESSION_ID, Attribute.EMITTER_ID, Attribute.EMITTER_SEQ),
        *(Attribute.PROVIDER, Attribute.MODEL, Attribute.PLATFORM, Attribute.SOURCE, Attribute.USER_ID),
        *(Attribute.LABEL_PREFIX, Attribute.CONTENT_TRUNCATED),
        *(Attribute.OPERATION, Attribute.OUTPUT_TYPE, Attribute.FINISH_REASONS, Attribute.TOKEN_MODALITY),
        *(Attribute.DIAGNOSIS, Attribute.CAUSE, Attribute.HINT, Attribute.RETRY_CLASS),
        *(Attribute.CATALOGUE_VERSION, Attribute.CLOSE_REASON, Attribute.HTTP_STATUS, Attribute.ERROR_TYPE),
        *(Attribute.SERVICE_TIER,),
    }
    assert set(Attribute) - used == elsewhere


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_attributes_are_scalars_under_names_of_the_vocabulary(fact: Fact) -> None:
    record = record_of(fact, ORIGIN)
    tokens = {usage_token_attribute(modality, "input") for modality in ("TEXT", "AUDIO", "VIDEO")}
    tokens |= {usage_token_attribute(modality, "output") for modality in ("TEXT", "AUDIO")}
    assert set(record.attributes) <= set(Attribute) | tokens
    assert all(type(value) in {str, int, float, bool} for value in record.attributes.values())
    assert record.at_ns == fact.at_ns
    assert record.severity is Severity.INFO


# Unknown is absent.


def test_what_is_not_known_is_absent_and_what_is_known_to_be_nothing_is_not() -> None:
    fact = replace(
        STARTED, gap_ms=None, reconnect_delay_ms=0.0, google_session_id="", resumed_from="", setup=Setup()
    )
    attributes = record_of(fact, Origin(GEMINI)).attributes
    absent = {Attribute.GAP_MS, Attribute.GOOGLE_SESSION_ID, Attribute.RESUMED_FROM, Attribute.VOICE}
    absent |= {Attribute.LOCATION, Attribute.DECLARED_TOOLS, Attribute.SDK_VERSION, Attribute.HANDLE_HASH}
    absent |= {Attribute.SETUP_LABELS, Attribute.THINKING_BUDGET, Attribute.THINKING_LEVEL}
    absent |= {Attribute.FRAMEWORK_NAME, Attribute.PYTHON_VERSION, Attribute.PING_INTERVAL_S}
    assert not absent & set(attributes)
    assert record_of(fact, Origin(GEMINI)).body is None
    assert attributes[Attribute.RECONNECT_DELAY_MS] == 0.0
    assert attributes[Attribute.RESUMED] is False
    assert attributes[Attribute.INSTRUCTION_BYTES] == 0


def test_a_thinking_budget_of_nothing_is_one() -> None:
    assert record_of(STARTED, ORIGIN).attributes[Attribute.THINKING_BUDGET] == 0


def test_health_that_nobody_watched_is_absent() -> None:
    attributes = record_of(replace(CLOSED, health=Health(pings_sent=0)), ORIGIN).attributes
    assert attributes[Attribute.PINGS_SENT] == 0
    assert not {Attribute.PINGS_MISSED, Attribute.PING_P50_MS, Attribute.LOOP_LAG_MAX_MS} & set(attributes)


def test_a_usage_frame_without_figures_has_no_figures() -> None:
    empty = replace(
        USAGE,
        usage=Usage(),
        previous_prompt=None,
        previous_context={},
        context_audio_ms=0.0,
        response_audio_ms=0.0,
    )
    record = record_of(empty, ORIGIN)
    assert json.loads(record.body or "") == {
        UsageBody.CONTEXT_AUDIO_MS: 0.0,
        UsageBody.RESPONSE_AUDIO_MS: 0.0,
    }
    assert not {name for name in record.attributes if "tokens" in name}


# Bodies.


def test_the_started_record_carries_all_of_the_setup_as_its_body() -> None:
    record = record_of(STARTED, ORIGIN)
    assert record.body == SETUP.config
    assert json.loads(str(record.attributes[Attribute.SETUP_LABELS])) == {"team": "tutors"}


def test_what_was_said_is_kept_apart_from_the_rest() -> None:
    said = "Köln"
    for fact in FACTS:
        record = record_of(fact, ORIGIN)
        assert said not in json.dumps([record.attributes, record.body], ensure_ascii=False)
    assert said in record_of(examples.TRANSCRIPT, ORIGIN).content.body
    assert said in str(record_of(examples.TOOL_CALL, ORIGIN).content.attributes[Attribute.TOOL_ARGUMENTS])


def test_usage_totals_are_computed_and_split_by_modality() -> None:
    attributes = record_of(USAGE, ORIGIN).attributes
    assert attributes[Attribute.INPUT_TOKENS] == 1000 + 50
    assert attributes[Attribute.OUTPUT_TOKENS] == 120 + 30
    assert attributes["gen_ai.usage.text.input_tokens"] == 300 + 50
    assert attributes["gen_ai.usage.audio.input_tokens"] == 650
    assert attributes["gemini_live.usage.video.input_tokens"] == 20
    assert attributes["gen_ai.usage.audio.output_tokens"] == 110
    assert attributes["gen_ai.usage.text.output_tokens"] == 30


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        ("TEXT", "gen_ai.usage.text.input_tokens"),
        ("IMAGE", "gen_ai.usage.image.input_tokens"),
        ("AUDIO", "gen_ai.usage.audio.input_tokens"),
        ("VIDEO", "gemini_live.usage.video.input_tokens"),
        ("DOCUMENT", "gemini_live.usage.document.input_tokens"),
        ("MODALITY_UNSPECIFIED", "gemini_live.usage.unspecified.input_tokens"),
        ("'; DROP TABLE usage", "gemini_live.usage.unspecified.input_tokens"),
    ],
)
def test_token_attributes_by_modality(modality: str, name: str) -> None:
    assert usage_token_attribute(modality, "input") == name


def test_half_a_surrogate_pair_costs_a_character_not_the_batch() -> None:
    call = replace(examples.TOOL_CALL, name="wetter\ud83d")
    setup = replace(SETUP, config='{"model":"\udc00"}', labels={"\udc00": "\udc00"})
    started = record_of(replace(STARTED, setup=setup), ORIGIN)
    assert record_of(call, ORIGIN).attributes[Attribute.TOOL_NAME] == "wetter?"
    assert started.body == '{"model":"?"}'
    assert started.attributes[Attribute.SETUP_LABELS] == '{"?":"?"}'


# Closes.


def test_an_abnormal_close_says_what_the_catalogue_says() -> None:
    fact = replace(
        CLOSED,
        code=1011,
        reason="Internal error encountered.",
        closed_by=ClosedBy.SERVER,
        since_go_away_ms=None,
    )
    diagnosis = diagnose_close(
        CloseEvidence(
            code=1011,
            reason="Internal error encountered.",
            phase="active",
            closed_by="server",
            clean=True,
            model="gemini-live-2.5-flash",
            platform="vertex_ai",
            since_tool_response_ms=5000.0,
            go_away_overrun_ms=0.0,
            resumed=True,
            context_tokens=1120,
        )
    )
    assert diagnosis is not None
    record = record_of(fact, ORIGIN)
    assert record.severity is Severity.WARN
    assert record.attributes[Attribute.DIAGNOSIS] == diagnosis.id
    assert record.attributes[Attribute.CAUSE] == diagnosis.cause
    assert record.attributes[Attribute.HINT] == diagnosis.hint
    assert record.attributes[Attribute.RETRY_CLASS] == diagnosis.retry_class.value
    assert record.attributes[Attribute.CATALOGUE_VERSION] == diagnosis.catalogue_version


def test_go_away_reaches_the_diagnosis() -> None:
    announced = replace(CLOSED, code=1001, closed_by=ClosedBy.SERVER)
    surprising = replace(announced, since_go_away_ms=None, go_away_overrun_ms=None)
    assert record_of(announced, ORIGIN).attributes[Attribute.DIAGNOSIS] == "closed-after-go-away"
    assert record_of(surprising, ORIGIN).attributes[Attribute.DIAGNOSIS] == "server-going-away"


def test_an_ordinary_close_has_no_diagnosis() -> None:
    assert not {Attribute.DIAGNOSIS, Attribute.CAUSE, Attribute.HINT} & set(
        record_of(CLOSED, ORIGIN).attributes
    )


@pytest.mark.parametrize(
    ("code", "closed_by", "diagnosis", "well"),
    [
        (1000, ClosedBy.CLIENT, "", True),
        (1001, ClosedBy.SERVER, "server-going-away", True),
        (1011, ClosedBy.CLIENT, "client-left-with-exception", True),
        (1011, ClosedBy.CLIENT, "keepalive-timeout", False),
        (1009, ClosedBy.CLIENT, "frame-too-big-for-client", False),
        (1011, ClosedBy.SERVER, "internal-error", False),
        (1006, ClosedBy.NONE, "connection-lost", False),
        (None, ClosedBy.NONE, "", False),
    ],
)
def test_which_closes_are_in_order(code: int | None, closed_by: ClosedBy, diagnosis: str, well: bool) -> None:
    assert ended_well(replace(CLOSED, code=code, closed_by=closed_by), diagnosis) is well


def test_a_refused_setup_tells_the_setup_because_nothing_else_did() -> None:
    refused = replace(CLOSED, phase=Phase.SETUP, code=1007, closed_by=ClosedBy.SERVER)
    attributes = record_of(refused, ORIGIN).attributes
    assert attributes[Attribute.VOICE] == SETUP.voice
    assert attributes[Attribute.API_VERSION] == VERTEX.api_version
    assert attributes[Attribute.SDK_VERSION] == ORIGIN.sdk_version
    assert record_of(refused, ORIGIN).body == SETUP.config
    assert Attribute.VOICE not in record_of(CLOSED, ORIGIN).attributes
    assert record_of(CLOSED, ORIGIN).body is None


def test_a_refused_dial_claims_no_setup() -> None:
    refused = replace(
        CLOSED, phase=Phase.HANDSHAKE, setup=Setup(), code=None, http_status=403, closed_by=ClosedBy.NONE
    )
    attributes = record_of(refused, ORIGIN).attributes
    assert attributes[Attribute.SERVER_ADDRESS] == VERTEX.address
    assert attributes[Attribute.LOCATION] == VERTEX.location
    assert Attribute.CLOSE_CODE not in attributes
    assert not {name for name in attributes if name.startswith("gemini_live.setup.")}
    assert record_of(refused, ORIGIN).body is None


# Whose it is.


def test_user_ids_leave_hashed_unless_asked_otherwise() -> None:
    identity = Identity("lesson-7", user_id="ada@example.org")
    hashed = common_attributes("id", identity, GEMINI, "m", hash_user_ids=True)
    plain = common_attributes("id", identity, GEMINI, "m", hash_user_ids=False)
    assert hashed[Attribute.USER_ID] == hashlib.sha256(b"ada@example.org").hexdigest()
    assert plain[Attribute.USER_ID] == "ada@example.org"
    assert Attribute.USER_ID not in common_attributes("id", Identity("s"), GEMINI, "m", hash_user_ids=True)


def test_labels_and_platform_are_on_everything() -> None:
    identity = Identity("lesson-7", labels={"tenant": "acme", "größe": "2"})
    common = common_attributes("id", identity, VERTEX, "gemini-3.8-live", hash_user_ids=True)
    assert common == {
        "gemini_live.connection.id": "id",
        "gemini_live.session.id": "lesson-7",
        "gen_ai.provider.name": "gcp.vertex_ai",
        "gemini_live.platform": "vertex_ai",
        "gen_ai.request.model": "gemini-3.8-live",
        "gemini_live.label.tenant": "acme",
        "gemini_live.label.größe": "2",
    }
    assert (
        common_attributes("i", identity, GEMINI, "", hash_user_ids=True)[Attribute.PROVIDER] == "gcp.gemini"
    )
