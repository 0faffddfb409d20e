"""Scripts from Python, mappings and files, and which one serves a connection."""

import json
from pathlib import Path
from typing import Any

import pytest

from livemeter.testing import (
    DEFAULT_SCRIPT,
    Close,
    Expect,
    Match,
    Pause,
    RefuseHandshake,
    Repeat,
    Script,
    ScriptFormatError,
    Send,
    SendAudio,
    SetupComplete,
    Usage,
    load_scripts,
)
from livemeter.testing.arrival import Arrival, Platform
from livemeter.testing.choice import choose_refusal, choose_script, depends_on_setup
from livemeter.testing.steps import STEP_NAMES, AnyStep

TOML = """
[[scripts]]
name = "weather"
match = { model = "3.8-live", platform = "vertex_ai", connection = 2, resumed = false }
steps = [
  "setup_complete",
  { expect = "clientContent" },
  { expect = { kind = "realtimeInput.audio", at_least = 3, ignoring = ["any"], timeout_s = 2 } },
  { send_audio = { ms = 400, chunk_ms = 40 } },
  { send = { message = { serverContent = { turnComplete = true } } } },
  { repeat = { times = 2, steps = [{ expect = "turn" }, { usage = { prompt = { TEXT = 3 } } }] } },
  { pause = 50 },
  { close = { code = 1011, reason = "Internal error encountered." } },
]

[[scripts]]
name = "refused"
steps = [{ refuse_handshake = 429 }]
"""

WEATHER = Script(
    "weather",
    (
        SetupComplete(),
        Expect("clientContent"),
        Expect("realtimeInput.audio", at_least=3, ignoring=("any",), timeout_s=2),
        SendAudio(400, chunk_ms=40),
        Send({"serverContent": {"turnComplete": True}}),
        Repeat((Expect("turn"), Usage(prompt={"TEXT": 3})), times=2),
        Pause(50),
        Close(1011, "Internal error encountered."),
    ),
    Match(model="3.8-live", platform="vertex_ai", connection=2, resumed=False),
)
REFUSED = Script("refused", (RefuseHandshake(429),))


def test_a_toml_file_gives_the_same_scripts_as_python(tmp_path: Path) -> None:
    path = tmp_path / "live.toml"
    path.write_text(TOML)
    assert load_scripts(path) == (WEATHER, REFUSED)


@pytest.mark.parametrize("text", ["[%s]", '{"scripts": [%s]}'])
def test_a_json_file_may_hold_the_list_alone_or_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "live.json"
    path.write_text(text % json.dumps({"name": "refused", "steps": [{"refuse_handshake": {"status": 429}}]}))
    assert load_scripts(str(path)) == (REFUSED,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", "[[scripts]", "a.toml: not valid TOML: "),
        ("a.json", "{", "a.json: not valid JSON: "),
        ("a.yaml", "", "a.yaml: a script file must end in .toml or .json"),
        ("a.json", "{}", 'a.json: no scripts found, a list named "scripts" is needed'),
        ("a.json", '[{"name":"x","steps":["abort"]}, 3]', "a.json: script 2: a table is needed, not 3"),
        ("a.json", '[{"steps":["abort"]}]', "a.json: script 1: it needs a name"),
        ("a.json", '[{"name":"x"}]', "a.json: script 1 'x': it needs a list of steps"),
        ("a.json", '[{"name":"x","step":[]}]', "a.json: script 1: unknown key 'step'; known are match, name"),
        (
            "a.json",
            '[{"name":"x","steps":["abort","sing"]}]',
            "a.json: script 1 'x', step 2: unknown step 'sing'; ",
        ),
        (
            "a.json",
            '[{"name":"x","steps":[{"pause":1,"abort":{}}]}]',
            "step 1: a step is a name, or a table with",
        ),
        (
            "a.json",
            '[{"name":"x","steps":["expect"]}]',
            "a.json: script 1 'x', step 1 expect: kind is missing",
        ),
        (
            "a.json",
            '[{"name":"x","steps":[{"expect":{"kind":"s"}}]}]',
            "step 1 expect: unknown kind 's'; kinds are",
        ),
        (
            "a.json",
            '[{"name":"x","steps":[{"pause":"long"}]}]',
            "step 1 pause: ms cannot be 'long', it takes float",
        ),
        ("a.json", '[{"name":"x","steps":[{"abort":1}]}]', "step 1 abort: a table is needed, not 1"),
        (
            "a.json",
            '[{"name":"x","steps":[{"pause":{"s":1}}]}]',
            "step 1 pause: unknown key 's'; known are ms",
        ),
        (
            "a.json",
            '[{"name":"x","steps":[{"repeat":{"times":2}}]}]',
            "'x', step 1: it needs a list of steps",
        ),
        (
            "a.json",
            '[{"name":"x","steps":["setup_complete",{"repeat":{"times":2,"steps":[{"pause":1},"sing"]}}]}]',
            "a.json: script 1 'x', step 2.2: unknown step 'sing'",
        ),
        (
            "a.json",
            '[{"name":"x","steps":["abort",{"pause":1}]}]',
            "step 1 Abort(): it must be the last step",
        ),
        (
            "a.json",
            '[{"name":"x","match":{"platform":"aws"},"steps":["abort"]}]',
            "'x', match: platform cannot be",
        ),
        ("a.json", '[{"name":"x","match":{"who":1},"steps":["abort"]}]', "'x', match: unknown key 'who'"),
    ],
)
def test_a_wrong_file_is_told_in_one_line_with_file_script_and_step(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ScriptFormatError) as caught:
        load_scripts(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptFormatError, match=r"^none\.toml: cannot be read: No such file"):
        load_scripts(tmp_path / "none.toml")


def test_every_step_has_a_name_in_files() -> None:
    assert set(STEP_NAMES.values()) == set(AnyStep.__args__)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), "script 'x': it needs steps"),
        (("setup_complete",), "script 'x': 'setup_complete' is no step"),
        ((Close(), Pause(1)), "script 'x', step 1 Close(): it must be the last step"),
        (
            (SetupComplete(), RefuseHandshake(403)),
            "script 'x', step 2 RefuseHandshake(status=403): it must be the only",
        ),
        ((Repeat((Expect("turn"),)), Close()), "it never ends, so it must be the last step"),
    ],
)
def test_steps_that_could_never_be_played_are_refused(steps: Any, message: str) -> None:
    with pytest.raises(ScriptFormatError) as caught:
        Script("x", steps)
    assert message in str(caught.value)


def test_a_refusal_cannot_depend_on_the_setup() -> None:
    with pytest.raises(ScriptFormatError, match="known only after the handshake"):
        Script("x", (RefuseHandshake(403),), Match(model="m"))


def arrival(number: int = 1, platform: Platform = "gemini_api") -> Arrival:
    return Arrival(number, "/BidiGenerateContent", platform, "v1")


def script(name: str, **match: Any) -> Script:
    return Script(name, (SetupComplete(),), Match(**match))


def chosen(scripts: list[Script], where: Arrival, setup: dict[str, Any]) -> str:
    return choose_script(scripts, where, setup).name


def test_the_first_script_that_fits_serves_and_the_default_the_rest() -> None:
    scripts = [
        script("second", connection=2),
        script("vertex", platform="vertex_ai"),
        script("old", model="2.5"),
    ]
    assert chosen(scripts, arrival(2, "vertex_ai"), {}) == "second"
    assert chosen(scripts, arrival(1, "vertex_ai"), {}) == "vertex"
    assert chosen(scripts, arrival(1), {"model": "models/gemini-2.5-live"}) == "old"
    assert choose_script(scripts, arrival(1), {"model": "models/gemini-3.8-live"}) is DEFAULT_SCRIPT


def test_a_resumption_handle_in_the_setup_can_decide() -> None:
    scripts = [script("resumed", resumed=True), script("new", resumed=False)]
    assert chosen(scripts, arrival(), {"sessionResumption": {"handle": "h"}}) == "resumed"
    assert chosen(scripts, arrival(), {"sessionResumption": {}}) == "new"
    assert chosen(scripts, arrival(), {}) == "new"


def test_the_setup_is_waited_for_only_where_it_decides() -> None:
    scripts = [script("second", connection=2), script("old", model="2.5"), script("rest")]
    assert not depends_on_setup(scripts, arrival(2))
    assert depends_on_setup(scripts, arrival(1))
    assert not depends_on_setup([], arrival(1))


def test_a_refusal_counts_where_no_script_before_it_serves_for_sure() -> None:
    assert choose_refusal([REFUSED], arrival()) is REFUSED
    assert choose_refusal([script("all"), REFUSED], arrival()) is None
    assert choose_refusal([script("old", model="2.5"), REFUSED], arrival()) is REFUSED
    assert choose_refusal([script("second", connection=2), REFUSED], arrival(1)) is REFUSED
    assert choose_script([REFUSED], arrival(), {}) is DEFAULT_SCRIPT
