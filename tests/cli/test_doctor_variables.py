"""The environment as the doctor understands it: what is shown, what is wrong, what stays hidden."""

import subprocess
import sys
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.doctor.facts import Variable, Variables
from livemeter.doctor.variables import read_variables, shown_url
from livemeter.settings import Settings

SECRET = "s3cret"
NAMES = sorted(name for setting in fields(Settings) for name in setting.metadata["environment"])


def variable(name: str, env: dict[str, str]) -> Variable:
    [found] = [one for one in read_variables(env).variables if one.name == name]
    return found


def test_an_empty_environment_is_the_defaults() -> None:
    assert read_variables({"PATH": "/bin", "LIVEMETER_ENDPOINT": " "}) == Variables(
        settings=Settings(), endpoint="http://127.0.0.1:4318"
    )


def test_every_setting_s_variable_is_known_and_shown_when_it_is_set() -> None:
    """Taken from the settings themselves, so that a new one needs no word here."""
    for setting in fields(Settings):
        for name in setting.metadata["environment"]:
            found = read_variables({name: "1"})
            assert [one.name for one in found.variables] == [name]
            assert found.misspelt == ()


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("LIVEMETER_FRAMES_INTERVAL_MS", " 250 ", "250"),
        ("LIVEMETER_HASH_USER_IDS", "off", "false"),
        ("LIVEMETER_ENDPOINT", "https://collector:4318/base", "https://collector:4318"),
        ("LIVEMETER_HEADERS", f"authorization={SECRET}", "set, not shown"),
        ("OTEL_SERVICE_NAME", "lessons", "lessons"),
        ("OTEL_SERVICE_NAME", "les\x1bsons", "set, not shown"),
        ("OTEL_RESOURCE_ATTRIBUTES", f"service.name=lessons,key={SECRET}", "set, not shown"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"key={SECRET}", "set, not shown; not sent to Livemeter's collector"),
        ("OTEL_SOMETHING_NEW", SECRET, "set, not shown"),
        ("OTEL_TRACES_SAMPLER", "always_off", "always_off"),
        ("OTEL_SDK_DISABLED", "false", "false"),
    ],
)
def test_a_value_is_shown_where_it_is_harmless(name: str, text: str, shown: str) -> None:
    found = variable(name, {name: text})
    assert (found.shown, found.complaint) == (shown, "")


def test_general_headers_go_along_with_the_general_endpoint_alone() -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "key=x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:4318"}
    assert variable("OTEL_EXPORTER_OTLP_HEADERS", env).shown == "set, not shown"
    assert read_variables(env).endpoint_from == "OTEL_EXPORTER_OTLP_ENDPOINT"
    env["LIVEMETER_ENDPOINT"] = "http://own:4318"
    assert variable("OTEL_EXPORTER_OTLP_HEADERS", env).shown.endswith("not sent to Livemeter's collector")
    assert variable("OTEL_EXPORTER_OTLP_ENDPOINT", env).shown == "set; LIVEMETER_ENDPOINT wins"
    assert read_variables(env).endpoint == "http://own:4318"
    env["LIVEMETER_ENDPOINT"] = "http://general:4318/"
    assert variable("OTEL_EXPORTER_OTLP_HEADERS", env).shown == "set, not shown"


@pytest.mark.parametrize(
    ("env", "name", "complaint", "is_fatal"),
    [
        ({"LIVEMETER_ENABLED": "false"}, "LIVEMETER_ENABLED", "observation is switched off", True),
        ({"LIVEMETER_ENABLED": "perhaps"}, "LIVEMETER_ENABLED", "must be true or false", True),
        ({"LIVEMETER_EXPORT_INTERVAL_MS": "0"}, "LIVEMETER_EXPORT_INTERVAL_MS", "more than 0", True),
        ({"LIVEMETER_HEADERS": SECRET}, "LIVEMETER_HEADERS", "must be name=value", True),
        ({"LIVEMETER_ENDPOINT": "http://a:4317"}, "LIVEMETER_ENDPOINT", "speaks gRPC", True),
        ({"LIVEMETER_ENDPOINT": f"http://u:{SECRET}@a"}, "LIVEMETER_ENDPOINT", "may hold no user", True),
        ({"LIVEMETER_ENDPOINT": SECRET}, "LIVEMETER_ENDPOINT", "no http(s) URL", True),
        ({"LIVEMETER_ENDPOINT": "http://[::1"}, "LIVEMETER_ENDPOINT", "no URL", True),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317"},
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "speaks gRPC",
            True,
        ),
        ({"OTEL_SDK_DISABLED": "True"}, "OTEL_SDK_DISABLED", "exports nothing", True),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "many"}, "OTEL_ATTRIBUTE_COUNT_LIMIT", "no number", True),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "63"}, "OTEL_ATTRIBUTE_COUNT_LIMIT", "lose attributes", False),
        (
            {"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "31"},
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "lose attributes",
            False,
        ),
        (
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"http://{SECRET}@a:4318/v1/logs"},
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "Livemeter does not read it",
            False,
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"},
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTLP over HTTP all the same",
            False,
        ),
        ({"LIVEMETER_STRICT": "1"}, "LIVEMETER_STRICT", "raised in the application", False),
    ],
)
def test_what_is_wrong_with_a_variable(
    env: dict[str, str], name: str, complaint: str, is_fatal: bool
) -> None:
    found = variable(name, env)
    assert complaint in found.complaint
    assert found.is_fatal is is_fatal
    assert name in found.to_do or "LIVEMETER_ENDPOINT" in found.to_do
    understood = read_variables(env).settings
    assert (understood is None) == (is_fatal and name in NAMES and not found.is_switch)
    assert SECRET not in repr(read_variables(env))


@pytest.mark.parametrize(
    "env",
    [
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://a:4318/v1/logs", "LIVEMETER_ENDPOINT": "http://a:4318"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "LIVEMETER_ENDPOINT": "http://a:4318"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": "64"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "8"},
        {"LIVEMETER_STRICT": "0"},
    ],
)
def test_what_does_not_touch_livemeter_is_no_complaint(env: dict[str, str]) -> None:
    assert [one.complaint for one in read_variables(env).variables if one.complaint] == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("LIVEMETER_ENPOINT", "LIVEMETER_ENDPOINT"),
        ("LIVEMETR_ENDPOINT", "LIVEMETER_ENDPOINT"),
        ("LIVE_METER_ENDPOINT", "LIVEMETER_ENDPOINT"),
        ("livemeter_endpoint", "LIVEMETER_ENDPOINT"),
        ("LIVEMETER_HEADER", "LIVEMETER_HEADERS"),
        ("LIVEMETER_HASH_USERS", "LIVEMETER_HASH_USER_IDS"),
        ("LIVEMETER_XYZ", ""),
    ],
)
def test_a_misspelt_variable_is_told_with_the_one_that_was_meant(written: str, meant: str) -> None:
    [found] = read_variables({written: SECRET}).misspelt
    assert (found.name, found.closest) == (written, meant)


@pytest.mark.parametrize("name", ["METER_ENDPOINT", "ENDPOINT", "LIVEKIT_URL", "OTEL_SERVICE_NAME", "HOME"])
def test_the_variables_of_others_are_not_taken_for_misspelt_ones(name: str) -> None:
    assert read_variables({name: "x"}).misspelt == ()


@pytest.mark.parametrize(
    ("env", "service"),
    [
        ({}, ""),
        ({"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "a"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=x, service.name=caf%C3%A9 ,y"}, "café"),
    ],
)
def test_the_service_s_name_is_read_as_opentelemetry_reads_it(env: dict[str, str], service: str) -> None:
    from opentelemetry.sdk.resources import OTELResourceDetector

    assert read_variables(env).service == service
    if service:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
                patch.delenv(name, raising=False)
            for name, text in env.items():
                patch.setenv(name, text)
            assert OTELResourceDetector().detect().attributes["service.name"] == service


def test_proxies_are_told_by_name() -> None:
    env = {"HTTPS_PROXY": f"http://u:{SECRET}@p:3128", "http_proxy": "http://p:3128", "NO_PROXY": "x"}
    found = read_variables(env)
    assert found.proxies == ("HTTPS_PROXY", "http_proxy")
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"http://user:{SECRET}@host:1/{SECRET}?q={SECRET}#{SECRET}", "http://host:1"),
        ("https://[::1]:4318/x", "https://[::1]:4318"),
        (f"{SECRET}:x@host", "set, but no http(s) URL"),
        (f"http://[{SECRET}", "set, but no http(s) URL"),
        ("", "set, but no http(s) URL"),
    ],
)
def test_of_a_url_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(st.dictionaries(st.sampled_from([*NAMES, "OTEL_SDK_DISABLED", "OTEL_X"]), st.text(max_size=20)))
def test_every_environment_is_understood_or_complained_about(env: dict[str, str]) -> None:
    """Whatever makes the settings unusable has a line of its own; the endpoint is known or not used."""
    found = read_variables(env)
    assert (found.settings is None) == bool(found.error)
    assert (found.endpoint == "") == (found.settings is None)
    if found.error:
        assert found.error in {one.complaint for one in found.variables if one.is_fatal}


SHORT = """
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
kept = InMemoryLogRecordExporter()
provider = LoggerProvider(shutdown_on_exit=False)
provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
attributes = {str(n): "x" * 100 for n in range(100)}
provider.get_logger("x").emit(body="x", attributes=attributes)
[record] = kept.get_finished_logs()
told = record.log_record.attributes
print(len(told), {len(value) for value in told.values()})
"""


def test_opentelemetry_cuts_events_by_the_limits_that_are_complained_about() -> None:
    def run(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SHORT],
            env={"PATH": "", **env},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().stdout == "100 {100}\n"
    assert run(OTEL_ATTRIBUTE_COUNT_LIMIT="7", OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="9").stdout == "7 {9}\n"
    assert run(OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT="7").stdout == "7 {100}\n"


LIMITS = """
import os, sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
for name in sys.argv[1:]:
    os.environ[name] = "many"
    try:
        LoggerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    except ValueError:
        print(name)
    del os.environ[name]
"""


def test_opentelemetry_cannot_start_with_any_of_the_limits_that_are_told_as_fatal() -> None:
    kinds = ("ATTRIBUTE", "LOGRECORD_ATTRIBUTE", "SPAN_ATTRIBUTE", "SPAN_EVENT", "SPAN_LINK")
    names = [f"OTEL_{kind}_COUNT_LIMIT" for kind in (*kinds, "EVENT_ATTRIBUTE", "LINK_ATTRIBUTE")]
    names += [f"OTEL_{kind}_VALUE_LENGTH_LIMIT" for kind in kinds[:3]]
    command = [sys.executable, "-W", "ignore", "-c", LIMITS, *names]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=True)

    assert done.stdout.split() == names
    assert [name for name in names if variable(name, {name: "many"}).is_fatal] == names
