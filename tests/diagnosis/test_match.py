"""From evidence to diagnosis: entries win their samples, cut reasons match, normal ends are silent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.diagnosis import CloseEvidence, Diagnosis, RetryClass, diagnose_close, load_catalogue
from livemeter.diagnosis.catalogue import Entry, parse_catalogue
from livemeter.diagnosis.match import matching_entry, ranked_entries

ENTRIES = load_catalogue().entries
DEV_09 = "gemini-2.5-flash-native-audio-preview-09-2025"
VERTEX_09 = "gemini-live-2.5-flash-preview-native-audio-09-2025"
DEV_12 = "gemini-2.5-flash-native-audio-preview-12-2025"
VERTEX_12 = "gemini-live-2.5-flash-native-audio"

# Reasons in full, longer than the 123 bytes that a close frame holds: code, text up to the end of what tells
# the cause, the rest, and the diagnosis.
LONG_REASONS = [
    (
        1008,
        "Connection aborted because the client failed to close",
        " the connection after receiving a GoAway signal once the session duration limit was reached",
        "go-away-ignored",
    ),
    (
        1011,
        "Thread was cancelled when writing",
        " StartStep status to channel.; Failed to close the streaming context; status = CANCELLED: and so on",
        "stream-cancelled",
    ),
    (
        1011,
        "You exceeded your current quota",
        ", please check your plan and billing details. For more information on this error, head to: an",
        "quota-exceeded",
    ),
    (
        1008,
        "Publisher Model",
        " `projects/a-project/locations/europe-west4/publishers/google/models/gemini-3.8-live` was not found"
        " or your project does not have access to it. Please ensure you are using a valid model version.",
        "publisher-model-not-found",
    ),
    (
        1008,
        "models/gemini-unheard-of is not found for API version",
        " v1beta, or is not supported for bidiGenerateContent. Call ListModels to see the list of models",
        "model-not-found",
    ),
    (
        1008,
        "Request had invalid authentication credentials",
        ". Expected OAuth 2 access token, login cookie or other valid authentication credential. See more",
        "oauth-token-refused",
    ),
]


def diagnosed(evidence: CloseEvidence) -> Diagnosis:
    diagnosis = diagnose_close(evidence)
    assert diagnosis is not None
    return diagnosis


def diagnosed_id(evidence: CloseEvidence) -> str | None:
    diagnosis = diagnose_close(evidence)
    return None if diagnosis is None else diagnosis.id


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_an_entry_wins_its_own_sample_whatever_the_order_of_the_file(entry: Entry) -> None:
    ranked = list(ranked_entries(entry.sample, load_catalogue()))
    best = max(rank for rank, _ in ranked)
    assert [winner.id for rank, winner in ranked if rank == best] == [entry.id]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_a_sample_is_diagnosed_with_its_entry_or_passed_over_in_silence(entry: Entry) -> None:
    assert diagnosed_id(entry.sample) == (entry.id if entry.diagnosis else None)


@given(st.sampled_from(ENTRIES), st.sampled_from(["upper", "lower", "title", "swapcase"]), st.text(" \n\t"))
def test_case_and_space_around_a_reason_do_not_matter(entry: Entry, recase: str, space: str) -> None:
    reason = space + getattr(entry.sample.reason, recase)() + space
    assert matching_entry(replace(entry.sample, reason=reason), load_catalogue()) is entry


@given(st.sampled_from(LONG_REASONS), st.data())
def test_a_reason_cut_anywhere_after_its_telling_part_still_matches(
    case: tuple[int, str, str, str], data: st.DataObject
) -> None:
    code, telling, rest, expected = case
    cut = data.draw(st.integers(0, len(rest)))
    assert diagnosed_id(CloseEvidence(code, telling + rest[:cut])) == expected


@pytest.mark.parametrize(("code", "telling", "rest", "expected"), LONG_REASONS)
def test_a_reason_cut_at_the_length_of_a_close_frame_matches(
    code: int, telling: str, rest: str, expected: str
) -> None:
    whole = (telling + rest).encode()
    assert len(whole) > 123
    assert diagnosed_id(CloseEvidence(code, whole[:123].decode())) == expected


@given(st.sampled_from(ENTRIES), st.integers(0, 200))
def test_any_sample_cut_after_the_pattern_of_its_entry_still_matches(entry: Entry, extra: int) -> None:
    pattern = entry.reason
    reason = entry.sample.reason.casefold()
    ends = [len(text) for text in (pattern.prefix if pattern else ()) if reason.startswith(text)]
    ends += [
        reason.index(text) + len(text) for text in (pattern.contains if pattern else ()) if text in reason
    ]
    cut = max(ends, default=len(reason)) + extra
    matched = matching_entry(replace(entry.sample, reason=entry.sample.reason[:cut]), load_catalogue())
    assert matched is entry


@given(st.integers(1000, 4999), st.text(), st.sampled_from(["handshake", "setup", "active", "elsewhere"]))
def test_any_close_gets_an_answer_without_an_error(code: int, reason: str, phase: str) -> None:
    diagnosis = diagnose_close(CloseEvidence(code, reason, phase))
    assert diagnosis is None or diagnosis.retry_class in RetryClass


@pytest.mark.parametrize(
    "evidence",
    [
        CloseEvidence(1000, closed_by="client", clean=True),
        CloseEvidence(1000, "bye", closed_by="client", clean=True, go_away_received=True),
        CloseEvidence(1000, closed_by="client", clean=False),
        CloseEvidence(1000, closed_by="server", clean=True),
        CloseEvidence(1000),
        CloseEvidence(1000, closed_by="client", clean=True, model=DEV_09, platform="vertex_ai"),
        CloseEvidence(1001, closed_by="client", clean=True),
        CloseEvidence(1005, closed_by="client", clean=True),
        CloseEvidence(None, phase="handshake", error_type="asyncio.exceptions.CancelledError"),
        CloseEvidence(1008, "A rule nobody has described.", closed_by="server"),
        CloseEvidence(4321, "from some proxy", closed_by="server"),
    ],
)
def test_ends_that_need_no_action_or_that_nobody_knows_are_silent(evidence: CloseEvidence) -> None:
    assert diagnose_close(evidence) is None


@pytest.mark.parametrize("phase", ["setup", "active"])
@pytest.mark.parametrize(
    "reason",
    [
        "",
        "policy violation",
        f"models/{DEV_09} is not found for API version v1beta",
        f"Publisher Model `projects/p/locations/us-central1/publishers/google/models/{DEV_09}` was not found",
    ],
)
def test_a_name_of_the_other_backend_explains_a_1008_with_the_name_to_use(phase: str, reason: str) -> None:
    diagnosis = diagnosed(CloseEvidence(1008, reason, phase, "server", True, DEV_09, "vertex_ai"))
    assert diagnosis.id == "model-backend-mismatch"
    assert diagnosis.retry_class is RetryClass.NEVER
    for named in (f"`{DEV_09}`", "Vertex AI", f"`{VERTEX_09}`"):
        assert named in diagnosis.hint
    assert "{" not in diagnosis.hint


def test_the_mismatch_hint_names_the_gemini_api_when_that_is_the_backend() -> None:
    resource = f"projects/p/locations/us-central1/publishers/google/models/{VERTEX_12}"
    hint = diagnosed(CloseEvidence(1008, phase="setup", model=resource, platform="gemini_api")).hint
    assert f"`{VERTEX_12}` is a name of Vertex AI, but this connection uses the Gemini API" in hint
    assert f"use `{DEV_12}`" in hint


@pytest.mark.parametrize(
    ("model", "platform"),
    [
        (DEV_09, "gemini_api"),
        (DEV_12, "gemini_api"),
        (VERTEX_09, "vertex_ai"),
        (VERTEX_12, "vertex_ai"),
        ("gemini-3.8-live", "vertex_ai"),
        ("gemini-3.8-live", "gemini_api"),
        ("a-name-of-tomorrow", "vertex_ai"),
        (DEV_09, None),
        (None, "vertex_ai"),
    ],
)
def test_a_bare_1008_of_a_correct_or_unknown_configuration_is_silent(
    model: str | None, platform: str | None
) -> None:
    assert diagnose_close(CloseEvidence(1008, phase="setup", model=model, platform=platform)) is None


@pytest.mark.parametrize("code", [None, 1000, 1001, 1005, 1006, 1007, 1009, 1011, 4000])
def test_other_codes_never_blame_the_model_name(code: int | None) -> None:
    for phase in ("setup", "active"):
        found = diagnosed_id(CloseEvidence(code, "", phase, "server", False, DEV_09, "vertex_ai"))
        assert found is None or not found.startswith("model-")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (CloseEvidence(1008, "Your project has been denied access.", "setup"), "project-denied"),
        (CloseEvidence(1008, "Lightning dunning decision is deny for project: 1", "setup"), "billing-hold"),
        (CloseEvidence(1008, "BidiGenerateContent session expired", "setup"), "session-expired"),
        (
            CloseEvidence(1008, "Operation is not implemented, or supported, or enabled."),
            "operation-not-implemented",
        ),
        (CloseEvidence(1008, "Connection aborted because the client failed to close the"), "go-away-ignored"),
    ],
)
def test_a_reason_that_says_more_than_the_model_name_wins_over_the_mismatch(
    evidence: CloseEvidence, expected: str
) -> None:
    assert diagnosed_id(replace(evidence, model=DEV_12, platform="vertex_ai")) == expected


def test_a_retired_name_points_to_what_replaced_it_once_the_server_does_not_know_it() -> None:
    reason = (
        f"models/{DEV_12} is not found for API version v1beta, or is not supported for bidiGenerateContent."
    )
    diagnosis = diagnosed(CloseEvidence(1008, reason, "setup", model=DEV_12, platform="gemini_api"))
    assert diagnosis.id == "model-retired"
    assert "2026-11-17" in diagnosis.hint
    assert "`gemini-3.8-live`" in diagnosis.hint


@pytest.mark.parametrize("reason", ["", "Internal error occurred.", "Internal error encountered."])
def test_the_time_since_the_last_tool_response_decides_about_a_server_failure(reason: str) -> None:
    evidence = CloseEvidence(1011, reason, closed_by="server", clean=True)
    assert (
        diagnosed_id(replace(evidence, since_tool_response_ms=5000.0)) == "internal-error-after-tool-response"
    )
    assert diagnosed_id(replace(evidence, since_tool_response_ms=5000.1)) == "internal-error"
    assert diagnosed_id(evidence) == "internal-error"


def test_the_clients_own_1011_is_told_apart_from_the_servers() -> None:
    evidence = CloseEvidence(1011, "", closed_by="client", clean=True, since_tool_response_ms=100.0)
    assert diagnosed_id(evidence) == "client-left-with-exception"
    assert diagnosed_id(replace(evidence, reason="keepalive ping timeout")) == "keepalive-timeout"
    assert diagnosed_id(replace(evidence, closed_by="server")) == "internal-error-after-tool-response"


def test_a_close_after_go_away_is_a_rotation_and_the_same_text_without_one_is_not() -> None:
    reason = "Thread was cancelled when writing StartStep status to channel.; Failed to close the streaming"
    evidence = CloseEvidence(1011, reason, closed_by="server")
    assert diagnosed(evidence).retry_class is RetryClass.RESUME
    assert diagnosed(replace(evidence, go_away_received=True)).retry_class is RetryClass.ROTATE


def test_no_close_frame_is_the_same_as_1006() -> None:
    for code in (None, 1006):
        evidence = CloseEvidence(code, closed_by="none")
        assert diagnosed_id(evidence) == "connection-lost"
        overrun = replace(evidence, go_away_received=True, go_away_overrun_ms=9_700.0)
        assert diagnosed_id(overrun) == "connection-lost-after-go-away"
        in_time = replace(evidence, go_away_received=True, go_away_overrun_ms=0.0)
        assert diagnosed_id(in_time) == "connection-lost"
        assert diagnosed_id(replace(evidence, phase="handshake")) == "connection-never-opened"


def test_an_http_status_counts_at_the_handshake_only() -> None:
    refused = CloseEvidence(1006, phase="handshake", http_status=429)
    assert diagnosed_id(refused) == "handshake-too-many-requests"
    assert diagnosed_id(replace(refused, phase="active", http_status=429)) == "connection-lost"
    held = CloseEvidence(
        None, "Lightning dunning decision is deny for project: 1", "handshake", http_status=403
    )
    assert diagnosed(held).retry_class is RetryClass.ACCOUNT
    assert diagnosed(replace(held, reason="")).retry_class is RetryClass.NEVER


SAME_TEXT = """
[[entry]]
id = "stop"
codes = [1011]
reason.prefix = ["Same text"]
cause = "c."
hint = "h."
retry_class = "never"
source = "s"
confidence = "E"
sample = { code = 1011 }

[[entry]]
id = "pay"
codes = [1011]
reason.prefix = ["Same text"]
cause = "c."
hint = "h."
retry_class = "account"
source = "s"
confidence = "E"
sample = { code = 1011 }
"""


def test_account_wins_over_never_and_the_first_of_equals_wins_otherwise() -> None:
    def winner(text: str) -> str | None:
        entry = matching_entry(CloseEvidence(1011, "Same text."), parse_catalogue(text, "test.toml"))
        return entry.id if entry else None

    assert winner('version = "1"\n' + SAME_TEXT) == "pay"
    assert winner('version = "1"\n' + SAME_TEXT.replace('"account"', '"never"')) == "stop"
