"""Settings from the environment."""

import ast
import dataclasses
import inspect
import itertools

import pytest

from livemeter.settings import Settings, SettingsError


def test_defaults_are_a_collector_on_this_machine_and_the_documented_intervals() -> None:
    settings = Settings.from_environment({})
    assert settings.otlp_url("logs") == "http://127.0.0.1:4318/v1/logs"
    assert (settings.frames_interval_ms, settings.export_interval_ms) == (500, 200)
    assert (settings.metric_interval_ms, settings.shutdown_timeout_ms) == (10_000, 2000)
    assert settings.enabled
    assert settings.hash_user_ids
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


def test_every_setting_has_a_variable_of_its_own_and_a_docstring() -> None:
    for setting in dataclasses.fields(Settings):
        assert setting.metadata["environment"][0] == f"LIVEMETER_{setting.name.upper()}"
    [class_] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(class_, ast.ClassDef)
    for declaration, docstring in itertools.pairwise(class_.body):
        if isinstance(declaration, ast.AnnAssign):
            assert isinstance(docstring, ast.Expr)
