"""Settings from the environment."""

import dataclasses
from typing import Any

import pytest

from livemeter.settings import ContentCapture, FramesForm, Settings, SettingsError

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def test_defaults_are_a_collector_on_this_machine_and_the_documented_intervals() -> None:
    settings = Settings.from_environment({})
    assert settings.otlp_url("logs") == "http://127.0.0.1:4318/v1/logs"
    assert (settings.frames_interval_ms, settings.export_interval_ms) == (500, 400)
    assert (settings.metric_interval_ms, settings.shutdown_timeout_ms) == (10_000, 2000)
    assert settings.enabled
    assert settings.hash_user_ids
    assert settings.frames is FramesForm.PACKED
    assert settings.capture_content is ContentCapture.NO_CONTENT
    assert (settings.content_limit, settings.redact, settings.prices) == (4096, None, "")
    assert settings.loop_lag
    assert settings.pings
    assert settings.headers == {}
    assert settings == Settings()


def test_own_endpoint_wins_over_the_general_one() -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://general:4318/base/"}
    assert Settings.from_environment(env).otlp_url("traces") == "https://general:4318/base/v1/traces"
    env["LIVEMETER_ENDPOINT"] = "http://own"
    assert Settings.from_environment(env).otlp_url("metrics") == "http://own/v1/metrics"


def test_an_empty_variable_is_as_good_as_none() -> None:
    env = {"LIVEMETER_ENDPOINT": " ", "LIVEMETER_FRAMES_INTERVAL_MS": "", "LIVEMETER_ENABLED": ""}
    assert Settings.from_environment(env) == Settings()


def test_overrides_win_and_keep_a_bad_variable_from_being_read() -> None:
    env = {"LIVEMETER_FRAMES_INTERVAL_MS": "soon"}
    assert Settings.from_environment(env, frames_interval_ms=20).frames_interval_ms == 20


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("OFF", False), ("no", False)])
def test_switches(text: str, value: bool) -> None:
    settings = Settings.from_environment({"LIVEMETER_ENABLED": text, "LIVEMETER_HASH_USER_IDS": text})
    assert (settings.enabled, settings.hash_user_ids) == (value, value)


@pytest.mark.parametrize("text", ["records", "RECORDS", " Records "])
def test_the_form_of_frames(text: str) -> None:
    assert Settings.from_environment({"LIVEMETER_FRAMES": text}).frames is FramesForm.RECORDS


@pytest.mark.parametrize(
    ("text", "mode", "anywhere", "events", "spans"),
    [
        ("NO_CONTENT", ContentCapture.NO_CONTENT, False, False, False),
        ("span_only", ContentCapture.SPAN_ONLY, True, False, True),
        ("Event_Only", ContentCapture.EVENT_ONLY, True, True, False),
        ("SPAN_AND_EVENT", ContentCapture.SPAN_AND_EVENT, True, True, True),
        ("true", ContentCapture.SPAN_AND_EVENT, True, True, True),
        ("False", ContentCapture.NO_CONTENT, False, False, False),
    ],
)
def test_where_content_goes(
    text: str, mode: ContentCapture, anywhere: bool, events: bool, spans: bool
) -> None:
    settings = Settings.from_environment({CONTENT: text})
    assert settings.capture_content is mode
    assert (settings.captures_content, settings.content_on_events, settings.content_on_spans) == (
        anywhere,
        events,
        spans,
    )


def test_an_unknown_word_is_answered_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="packed, records or off"):
        Settings.from_environment({"LIVEMETER_FRAMES": "none"})
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({CONTENT: "all"})
    assert all(choice in str(raised.value) for choice in (*ContentCapture, "true", "false"))


def test_words_will_do_in_code_as_well() -> None:
    words: dict[str, Any] = {"frames": "records", "capture_content": True}
    settings = Settings(**words)
    assert (settings.frames, settings.capture_content) == (FramesForm.RECORDS, ContentCapture.SPAN_AND_EVENT)
    assert settings.frames is FramesForm.RECORDS
    words["frames"] = "some"
    with pytest.raises(SettingsError, match="LIVEMETER_FRAMES must be packed"):
        Settings(**words)


def test_watches_can_be_switched_off_and_prices_named() -> None:
    env = {"LIVEMETER_LOOP_LAG": "off", "LIVEMETER_PINGS": "no", "LIVEMETER_PRICES": "/etc/prices.toml"}
    settings = Settings.from_environment(env)
    assert (settings.loop_lag, settings.pings, settings.prices) == (False, False, "/etc/prices.toml")


def test_redaction_is_set_in_code_alone() -> None:
    assert Settings.from_environment({"LIVEMETER_REDACT": "str.upper"}).redact is None
    assert Settings.from_environment({}, redact=str.upper).redact is str.upper


def test_headers_are_percent_encoded_pairs_and_stay_out_of_the_representation() -> None:
    settings = Settings.from_environment({"LIVEMETER_HEADERS": "Authorization=Bearer%20abc, x-team = a"})
    assert settings.headers == {"authorization": "Bearer abc", "x-team": "a"}
    assert "abc" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LIVEMETER_FRAMES_INTERVAL_MS", "half a second"),
        ("LIVEMETER_EXPORT_INTERVAL_MS", "-5"),
        ("LIVEMETER_METRIC_INTERVAL_MS", "0"),
        ("LIVEMETER_SHUTDOWN_TIMEOUT_MS", "2.5"),
        ("LIVEMETER_ENABLED", "perhaps"),
        ("LIVEMETER_HASH_USER_IDS", "2"),
        ("LIVEMETER_FRAMES", "none"),
        ("LIVEMETER_CONTENT_LIMIT", "0"),
        ("LIVEMETER_CONTENT_LIMIT", "4 KiB"),
        ("LIVEMETER_LOOP_LAG", "never"),
        ("LIVEMETER_PINGS", "2"),
        (CONTENT, "everything"),
        ("LIVEMETER_HEADERS", "secret"),
        ("LIVEMETER_HEADERS", "key=secret%0Ainjected"),
    ],
)
def test_an_error_is_one_line_that_names_the_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({variable: text})
    message = str(raised.value)
    assert message.startswith(variable)
    assert "\n" not in message
    assert "secret" not in message


@pytest.mark.parametrize("name", ["content_limit", "frames_interval_ms"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "2"])
def test_numbers_that_are_given_in_code_are_checked_too(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"LIVEMETER_{name.upper()} must be more than 0"):
        Settings.from_environment({}, **{name: value})


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("collector:4318", "LIVEMETER_ENDPOINT"),
        ("ftp://collector", "LIVEMETER_ENDPOINT"),
        ("http://", "LIVEMETER_ENDPOINT"),
        ("http://[::1", "LIVEMETER_ENDPOINT"),
        ("http://collector:port", "LIVEMETER_ENDPOINT"),
        ("http://user:secret@collector", "LIVEMETER_HEADERS"),
        ("http://collector?key=secret", "LIVEMETER_HEADERS"),
        ("http://collector:4317", "http://collector:4318"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused_when_used_and_never_quoted(endpoint: str, told: str) -> None:
    settings = Settings.from_environment({"LIVEMETER_ENDPOINT": endpoint})
    with pytest.raises(SettingsError, match=told) as raised:
        settings.otlp_url("logs")
    assert "secret" not in f"{raised.value}{settings!r}"


def test_every_setting_has_a_variable_of_its_own() -> None:
    for setting in dataclasses.fields(Settings):
        variables = setting.metadata["environment"]
        if setting.name not in {"capture_content", "redact"}:
            assert variables[0] == f"LIVEMETER_{setting.name.upper()}"
