"""Checks and advice as functions of what was found; no probe runs here."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.doctor.advice import Cause, advise, arrives
from livemeter.doctor.checks.arrived import age, check_arrived, names
from livemeter.doctor.checks.export import check_export
from livemeter.doctor.checks.installed import check_installed, numbers
from livemeter.doctor.command import judge
from livemeter.doctor.facts import (
    AppArrivals,
    Arrivals,
    Asked,
    Check,
    Findings,
    Hook,
    Installed,
    Outcome,
    Reach,
    Status,
)
from livemeter.doctor.report import as_text, has_failed
from livemeter.doctor.variables import read_variables

NOW_MS = 1_790_000_000_000
PROTOBUF = "application/x-protobuf"
LESSONS = AppArrivals("lessons", connections=9, recent=3, not_set_up=0, newest_ms=NOW_MS - 2500)
OLD = AppArrivals("old", connections=5, recent=0, not_set_up=0, newest_ms=NOW_MS - 3 * 86_400_000)
VERSIONS = {
    "google-genai": "3.4.0",
    "websockets": "16.0",
    "opentelemetry-api": "1.45.2",
    "opentelemetry-sdk": "1.45.2",
    "opentelemetry-exporter-otlp-proto-http": "1.45.2",
    "requests": "2.34.2",
}
HEALTHY = Findings(
    Installed("3.11.7", "/usr/bin/python3", "0.1.0", VERSIONS),
    Hook(is_laid=True, over="websockets.asyncio.client.connect"),
    read_variables({"OTEL_SERVICE_NAME": "lessons"}),
    Reach(Outcome.ANSWERED, 200, PROTOBUF),
    Asked(
        "http://127.0.0.1:8123",
        Reach(Outcome.ANSWERED, 200),
        arrivals=Arrivals(NOW_MS, 12, (LESSONS,), spoke=3, unmetered=0),
    ),
)


def with_versions(**versions: str | None) -> Findings:
    told = VERSIONS | {name.replace("_", "-"): version for name, version in versions.items()}
    return replace(HEALTHY, installed=replace(HEALTHY.installed, versions=told))


def with_environment(**env: str) -> Findings:
    return replace(HEALTHY, variables=read_variables({"OTEL_SERVICE_NAME": "lessons", **env}))


def with_arrivals(*apps: AppArrivals, **changes: int | None) -> Findings:
    assert HEALTHY.asked.arrivals is not None
    arrivals = replace(HEALTHY.asked.arrivals, apps=apps, **changes)  # type: ignore[arg-type]
    return replace(HEALTHY, asked=replace(HEALTHY.asked, arrivals=arrivals))


def causes(findings: Findings) -> list[Cause]:
    return [advice.cause for advice in advise(findings)]


def line(findings: Findings, name: str) -> Check:
    [check] = [check for check in judge(findings) if check.name == name]
    return check


def test_where_all_is_well_nothing_is_left_but_the_dashboard_itself() -> None:
    assert {check.status for check in judge(HEALTHY)} == {Status.OK}
    assert causes(HEALTHY) == [Cause.DASHBOARD]


NO_GENAI = with_versions(google_genai=None)
REFUSED = replace(HEALTHY, export=Reach(Outcome.REFUSED))
UNKNOWN = replace(HEALTHY, asked=Asked("http://127.0.0.1:8123", Reach(Outcome.REFUSED)))
ELSEWHERE = replace(with_environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://vendor:4318"), asked=UNKNOWN.asked)
TWO_COLLECTORS = replace(with_arrivals(), asked=replace(with_arrivals().asked, url="http://other:8123"))


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (NO_GENAI, [Cause.NO_GOOGLE_GENAI]),
        (with_versions(opentelemetry_sdk="1.41.9"), [Cause.NO_OPENTELEMETRY]),
        (with_versions(requests=None), [Cause.NO_OPENTELEMETRY]),
        (replace(HEALTHY, hook=Hook(error="no such thing")), [Cause.NO_HOOK]),
        (replace(HEALTHY, hook=Hook()), [Cause.NO_HOOK]),
        (with_environment(LIVEMETER_ENABLED="false"), [Cause.SWITCHED_OFF]),
        (with_environment(OTEL_SDK_DISABLED="true"), [Cause.SWITCHED_OFF]),
        (with_environment(LIVEMETER_ENDPOINT="http://a:4317"), [Cause.SETTINGS]),
        (with_environment(LIVEMETER_ENABLED="perhaps"), [Cause.SETTINGS]),
        (with_environment(OTEL_ATTRIBUTE_COUNT_LIMIT="many"), [Cause.SETTINGS]),
        (with_environment(LIVEMETER_ENPOINT="http://a"), [Cause.MISSPELT, Cause.DASHBOARD]),
        (REFUSED, [Cause.COLLECTOR_DOWN]),
        (replace(HEALTHY, export=Reach(Outcome.ANSWERED, 401)), [Cause.COLLECTOR_REFUSES]),
        (replace(HEALTHY, export=Reach(Outcome.ANSWERED, 302)), [Cause.COLLECTOR_REFUSES]),
        (replace(HEALTHY, export=Reach(Outcome.ANSWERED, 200, "text/html")), [Cause.COLLECTOR_REFUSES]),
        (
            ELSEWHERE,
            [
                Cause.ELSEWHERE,
                Cause.ARRIVALS_UNKNOWN,
                Cause.NOT_INSTRUMENTED,
                Cause.OTHER_PYTHON,
                Cause.KILLED,
            ],
        ),
        (
            TWO_COLLECTORS,
            [
                Cause.ELSEWHERE,
                Cause.NOT_INSTRUMENTED,
                Cause.OTHER_PYTHON,
                Cause.OTHER_MACHINE,
                Cause.KILLED,
            ],
        ),
        (
            with_arrivals(replace(LESSONS, app="talks")),
            [
                Cause.OTHER_SERVICE,
                Cause.NOT_INSTRUMENTED,
                Cause.OTHER_PYTHON,
                Cause.OTHER_MACHINE,
                Cause.KILLED,
            ],
        ),
        (
            with_arrivals(replace(OLD, app="lessons")),
            [
                Cause.OLD_EVENTS,
                Cause.NOT_INSTRUMENTED,
                Cause.OTHER_PYTHON,
                Cause.OTHER_MACHINE,
                Cause.KILLED,
            ],
        ),
        (
            with_arrivals(),
            [Cause.NOT_INSTRUMENTED, Cause.OTHER_PYTHON, Cause.OTHER_MACHINE, Cause.KILLED],
        ),
        (with_arrivals(replace(LESSONS, not_set_up=1)), [Cause.NOT_SET_UP, Cause.DASHBOARD]),
        (with_arrivals(LESSONS, unmetered=2), [Cause.NO_USAGE, Cause.DASHBOARD]),
        (with_environment(LIVEMETER_FRAMES="off"), [Cause.NO_FRAMES, Cause.DASHBOARD]),
        (
            replace(NO_GENAI, export=Reach(Outcome.REFUSED), hook=Hook()),
            [Cause.NO_GOOGLE_GENAI, Cause.COLLECTOR_DOWN],
        ),
    ],
)
def test_each_finding_has_its_advice(findings: Findings, expected: list[Cause]) -> None:
    assert causes(findings) == expected


def test_an_environment_without_a_name_takes_any_recent_event_for_the_application_s() -> None:
    assert arrives(replace(HEALTHY, variables=read_variables({})))
    assert not arrives(replace(with_arrivals(OLD), variables=read_variables({})))


def test_what_is_lost_at_a_kill_follows_the_intervals() -> None:
    slow = replace(with_environment(LIVEMETER_EXPORT_INTERVAL_MS="1500"), asked=UNKNOWN.asked)
    assert "up to 0.9 s of telemetry" in advise(with_arrivals())[-1].says
    assert "up to 2 s of telemetry" in advise(slow)[-1].says


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (None, Status.FAIL),
        ("1.15.9", Status.FAIL),
        ("1.16.0", Status.WARN),
        ("1.29.0", Status.WARN),
        ("1.30.0", Status.OK),
        ("1.30.0rc1", Status.OK),
        ("3.99", Status.OK),
        ("4.0.0", Status.WARN),
    ],
)
def test_google_genai_is_promised_from_1_30_to_3_x_and_hooked_from_1_16(
    version: str | None, status: Status
) -> None:
    assert line(with_versions(google_genai=version), "google-genai").status is status


@pytest.mark.parametrize(
    ("version", "status", "told"),
    [
        ("14.2", Status.WARN, "15 to 17"),
        ("15.0", Status.OK, "15.0"),
        ("17.1.9", Status.OK, "17.1.9"),
        ("17.2", Status.OK, "closes with 1011"),
        ("18.0", Status.WARN, "15 to 17"),
    ],
)
def test_websockets_is_tested_from_15_to_17_and_from_17_2_on_there_is_a_note(
    version: str, status: Status, told: str
) -> None:
    check = line(with_versions(websockets=version), "websockets")
    assert check.status is status
    assert told in check.says
    assert ("1011" in check.says) == (version == "17.2")


@pytest.mark.parametrize(
    "name", ["opentelemetry_api", "opentelemetry_sdk", "opentelemetry_exporter_otlp_proto_http"]
)
@pytest.mark.parametrize(
    ("version", "status"), [(None, Status.FAIL), ("1.41.1", Status.FAIL), ("1.42.0", Status.OK)]
)
def test_opentelemetry_is_needed_from_1_42_on(name: str, version: str | None, status: Status) -> None:
    found = with_versions(**{name: version})
    checks = check_installed(found.installed, found.hook)
    assert [check.status for check in checks if check.status is not Status.OK] == (
        [] if status is Status.OK else [status]
    )


def test_a_version_s_leading_numbers_are_compared_as_numbers() -> None:
    assert numbers("1.9") < numbers("1.30.0b2") == (1, 30, 0)
    assert numbers("unknown") == ()


@pytest.mark.parametrize(
    ("hook", "status", "told"),
    [
        (Hook(is_laid=True, was_on=True), Status.OK, "already on"),
        (Hook(is_laid=True, over="agent.patched"), Status.WARN, "agent.patched"),
        (Hook(error="no module named x"), Status.FAIL, "no module named x"),
        (Hook(), Status.FAIL, "stayed as it was"),
    ],
)
def test_what_is_said_of_the_hook(hook: Hook, status: Status, told: str) -> None:
    check = line(replace(HEALTHY, hook=hook), "hook")
    assert check.status is status
    assert told in check.says


def test_without_google_genai_the_hook_is_no_second_failure() -> None:
    assert line(replace(NO_GENAI, hook=Hook(error="x")), "hook").status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.ANSWERED])
def test_a_collector_that_cannot_be_asked_is_a_failure_and_its_sql_endpoint_a_warning(
    outcome: Outcome,
) -> None:
    asked = Asked("http://127.0.0.1:8123", Reach(outcome))
    checks = judge(replace(HEALTHY, export=Reach(outcome, detail="a detail"), asked=asked))
    collector = next(check for check in checks if check.name == "collector")
    sql = next(check for check in checks if check.name == "sql")
    assert (collector.status, sql.status) == (Status.FAIL, Status.WARN)
    assert collector.says.endswith("(a detail)")
    assert "--sql" in sql.to_do


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 407, 413, 415, 429, 500, 502, 503, 504])
def test_every_status_but_success_is_a_failure_that_names_it(status: int) -> None:
    [_, check] = check_export(replace(HEALTHY, export=Reach(Outcome.ANSWERED, status, PROTOBUF)))
    assert check.status is Status.FAIL
    assert f"HTTP {status}" in check.says
    assert check.to_do


@pytest.mark.parametrize("media_type", ["", "text/html", "application/json"])
def test_success_in_another_form_than_the_request_s_is_a_warning(media_type: str) -> None:
    check = line(replace(HEALTHY, export=Reach(Outcome.ANSWERED, 200, media_type)), "collector")
    assert check.status is Status.WARN
    assert "not as a collector of OTLP" in check.says


def test_the_proxy_is_told_where_there_is_one() -> None:
    proxied = with_environment(HTTPS_PROXY="http://u:s3cret@p:1", LIVEMETER_ENDPOINT="https://far:4318")
    by_proxy = replace(proxied, export=Reach(Outcome.ANSWERED, 200, PROTOBUF, proxy="HTTPS_PROXY"))
    assert line(by_proxy, "proxy").says == "goes by HTTPS_PROXY"
    assert line(proxied, "proxy").says == "none for this endpoint"
    assert all(check.name != "proxy" for check in judge(HEALTHY))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked("http://c:1", Reach(Outcome.ANSWERED, 401)), "wants a password"),
        (Asked("http://c:1", Reach(Outcome.ANSWERED, 500), error_code=516), "wants a password"),
        (Asked("http://c:1", Reach(Outcome.ANSWERED, 404), error_code=60), "without Livemeter's tables"),
        (Asked("http://c:1", Reach(Outcome.ANSWERED, 408), error_code=159), "ClickHouse error 159"),
        (Asked("http://c:1", Reach(Outcome.ANSWERED, 200)), "does not answer as ClickHouse does"),
        (Asked("http://c:1", Reach(Outcome.NOT_ANSWERED)), "not answered"),
    ],
)
def test_without_an_answer_arrivals_are_unknown_which_is_a_warning(asked: Asked, told: str) -> None:
    [check] = check_arrived(asked, "lessons")
    assert (check.name, check.status) == ("sql", Status.WARN)
    assert check.says.startswith("what has arrived is not known: http://c:1")
    assert told in check.says


@pytest.mark.parametrize(
    ("ahead_ms", "status", "told"),
    [
        (-30_000, Status.OK, "agrees"),
        (30_000, Status.OK, "agrees"),
        (95_000, Status.WARN, "this machine's is 95 s behind"),
        (-95_000, Status.WARN, "this machine's is 95 s ahead of"),
    ],
)
def test_clocks_that_are_apart_are_a_warning(ahead_ms: int, status: Status, told: str) -> None:
    check = line(with_arrivals(LESSONS, clock_ahead_ms=ahead_ms), "clock")
    assert check.status is status
    assert told in check.says


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [
        (-5, "0 s ago"),
        (119_999, "119 s ago"),
        (120_000, "2 min ago"),
        (7_200_000, "2 h ago"),
        (172_800_000, "2 days ago"),
    ],
)
def test_how_long_ago(milliseconds: int, told: str) -> None:
    assert age(milliseconds) == told


def test_names_from_the_store_cannot_act_on_a_terminal() -> None:
    apps = tuple(replace(OLD, app=name) for name in ("\x1b[31mred", "", "x" * 99, "a", "b", "c", "d"))
    arrivals = Arrivals(NOW_MS, 0, apps)
    assert names(arrivals) == f"?[31mred, (no name), {'x' * 60}, a, b and 2 more"


reaches = st.builds(
    Reach,
    st.sampled_from(Outcome),
    st.none() | st.integers(100, 599),
    st.sampled_from(["", PROTOBUF, "text/html"]),
    st.text(max_size=5),
)
app_names = st.sampled_from(["lessons", "talks", "unknown_service:python", "", "\x1b[31m"])


@st.composite
def all_arrivals(draw: st.DrawFn) -> Arrivals:
    def app(name: str) -> AppArrivals:
        connections = draw(st.integers(1, 9))
        recent = draw(st.integers(0, connections))
        not_set_up = draw(st.integers(0, recent))
        return AppArrivals(name, connections, recent, not_set_up, draw(st.integers(0, NOW_MS)))

    apps = [app(name) for name in draw(st.lists(app_names, unique=True))]
    spoke = draw(st.none() | st.integers(0, 9))
    unmetered = None if spoke is None else draw(st.integers(0, spoke))
    newest_first = sorted(apps, key=lambda one: -one.newest_ms)
    return Arrivals(NOW_MS, draw(st.integers(-(10**6), 10**6)), tuple(newest_first), spoke, unmetered)


environments = st.fixed_dictionaries(
    {},
    optional={
        "OTEL_SERVICE_NAME": app_names,
        "LIVEMETER_ENABLED": st.sampled_from(["true", "false", "perhaps"]),
        "LIVEMETER_ENDPOINT": st.sampled_from(["http://far:4318", "http://u:p@far", "http://far:4317"]),
        "OTEL_EXPORTER_OTLP_ENDPOINT": st.just("http://vendor:4318"),
        "OTEL_SDK_DISABLED": st.sampled_from(["true", "false"]),
        "OTEL_ATTRIBUTE_COUNT_LIMIT": st.sampled_from(["many", "10", "128"]),
        "LIVEMETER_XYZ": st.just("1"),
        "HTTP_PROXY": st.just("http://p"),
    },
)
findings = st.builds(
    Findings,
    st.builds(
        Installed,
        st.just("3.11.7"),
        st.text(max_size=5),
        st.just("0.1.0"),
        st.fixed_dictionaries(
            {name: st.none() | st.sampled_from(["0", "1.42", "3.4.0", "9"]) for name in VERSIONS}
        ),
    ),
    st.builds(Hook, st.booleans(), st.booleans(), st.sampled_from(["", "websockets.x", "y"]), st.text()),
    environments.map(read_variables),
    st.none() | reaches,
    st.builds(
        Asked,
        st.sampled_from(["http://127.0.0.1:8123", "http://far:8123"]),
        st.none() | reaches,
        st.none() | st.integers(1, 999),
        st.none() | all_arrivals(),
    ),
)


@given(findings)
def test_whatever_was_found_there_is_advice_in_the_order_of_likelihood(found: Findings) -> None:
    told = causes(found)
    order = list(Cause)
    assert told
    assert told == sorted(set(told), key=order.index)
    assert all(advice.says and "\n" not in advice.says for advice in advise(found) if not found.hook.error)


@given(findings)
def test_advice_never_contradicts_what_arrived(found: Findings) -> None:
    told = set(causes(found))
    if arrives(found):
        assert not told & {Cause.ELSEWHERE, Cause.OTHER_SERVICE, Cause.NOT_INSTRUMENTED, Cause.KILLED}
    else:
        assert Cause.DASHBOARD not in told
    assert (Cause.ARRIVALS_UNKNOWN in told) <= (found.asked.arrivals is None)


@given(findings)
def test_what_failed_is_among_the_reasons_and_keeps_the_general_ones_away(found: Findings) -> None:
    if not has_failed(judge(found)):
        return
    general = {Cause.NOT_INSTRUMENTED, Cause.OTHER_PYTHON, Cause.OTHER_MACHINE, Cause.KILLED, Cause.DASHBOARD}
    assert not set(causes(found)) & general


@given(findings, st.integers(1, 200))
def test_the_report_holds_every_line_whatever_the_width_and_what_to_do_about_it(
    found: Findings, width: int
) -> None:
    checks = judge(found)
    text = as_text(checks, advise(found), width=width, colour=False)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    for check in checks:
        assert f"  {check.name}" in text
        assert check.to_do or check.status in {Status.OK, Status.NOT_APPLICABLE}
    assert len(text.splitlines()) >= len(checks)


def test_a_narrow_screen_gets_lines_that_it_holds() -> None:
    checks = judge(REFUSED)
    text = as_text(checks, advise(REFUSED), width=60, colour=False)
    assert max(map(len, text.splitlines())) <= 60
    wide = as_text(checks, advise(REFUSED), width=1000, colour=False)
    assert text.split() == wide.split()


def test_colours_are_around_the_word_and_change_nothing_else() -> None:
    checks = judge(replace(REFUSED, installed=NO_GENAI.installed, asked=UNKNOWN.asked))
    plain = as_text(checks, (), width=80, colour=False)
    painted = as_text(checks, (), width=80, colour=True)
    assert "\x1b[31mfail\x1b[0m" in painted
    assert "\x1b[33mwarn\x1b[0m" in painted
    assert "\x1b[32mok  \x1b[0m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == plain
