"""What is remembered is compared with the facts: whatever differs is found and named, and nothing else."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from livemeter_collector.control_rebuild import PATH, RebuildEndpoint
from livemeter_collector.store.contract import Store
from livemeter_collector.store.lock import running_collector
from livemeter_collector.store.settle import SETTLING, TABLES
from tests.collector.commands.check_scenes import IDS, NOBODY
from tests.collector.commands.conftest import REPOSITORY, Outcome, Run, serving
from tests.collector.crash.processes import child, until
from tests.collector.serving import ask
from tests.collector.serving import serving as serving_app

Scene = dict[str, Any]

# Lets what is settled in a directory count at once; then runs a statement there.
ALTERS = """
import sys
from pathlib import Path
from livemeter_collector.store.open import open_embedded
store = open_embedded(Path(sys.argv[1]))
store.command("INSERT INTO settlements SELECT now64(3), now64(3) - 10")
if sys.argv[2]:
    store.command(sys.argv[2])
store.close()
"""
MORE_TURNS = (
    "INSERT INTO settled_sessions SELECT * REPLACE (turns + 1 AS turns, computed_at + 1 AS computed_at)"
    " FROM settled_sessions FINAL WHERE session_id = 'film'"
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Return what was found in each of ``check_scenes``."""
    directory = tmp_path_factory.mktemp("scenes") / "data"
    played = python("-m", "tests.collector.commands.check_scenes", directory)
    found: dict[str, Scene] = json.loads(played.out)
    return found


def python(*words: object) -> Outcome:
    ran = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode in {0, 1}, ran.stderr
    return Outcome(ran.returncode, ran.stdout, ran.stderr)


def livemeter(*words: object) -> Outcome:
    """Run a command in a process of its own: chDB opens one directory in each."""
    return python("-m", "livemeter.cli", *words)


def counts(scene: Scene) -> dict[str, tuple[int, int]]:
    """Return rows compared and differences, by kind."""
    return {kind: (scene[kind]["rows"], scene[kind]["differ"]) for kind in ("sessions", "turns", "usage")}


def test_what_was_settled_agrees_with_the_facts_however_it_is_cut(scenes: dict[str, Scene]) -> None:
    """Sessions of three connections each, that lie in up to three pieces; two kinds of usage a connection."""
    for name in ("settled, pieces of 1", "settled, pieces of 4", "rebuilt"):
        assert scenes[name]["agrees"], name
    for name in ("settled, pieces of 1", "settled, pieces of 4"):
        assert counts(scenes[name]) == {"sessions": (2, 0), "turns": (6, 0), "usage": (12, 0)}


def test_what_is_not_settled_is_no_difference(scenes: dict[str, Scene]) -> None:
    nothing, later = scenes["nothing settled"], scenes["something came, pieces of 1"]
    assert counts(nothing) == {"sessions": (0, 0), "turns": (0, 0), "usage": (0, 0)}
    assert (nothing["agrees"], nothing["state"]["unsettled_sessions"]) == (True, 2)
    assert nothing["state"]["settled_upto"] is None
    # The session's other connections lie in other pieces, where nothing came.
    assert (later["agrees"], later["state"]["unsettled_sessions"]) == (True, 1)
    assert later["sessions"]["rows"] == 1


def test_a_session_that_was_joined_and_not_settled_since_is_no_difference(scenes: dict[str, Scene]) -> None:
    assert scenes["joined and not settled"]["agrees"]


@pytest.mark.parametrize("scene", ["changed", "changed, pieces of 2"])
def test_what_was_changed_is_found_and_named_once(scenes: dict[str, Scene], scene: str) -> None:
    found = scenes[scene]
    assert not found["agrees"]
    assert counts(found) == {"sessions": (2, 1), "turns": (6, 1), "usage": (12, 1)}
    (session,), (turns,), (usage,) = (found[kind]["examples"] for kind in ("sessions", "turns", "usage"))
    assert session["id"] == "session-b"
    assert session["details"] == [{"column": "turns", "recorded": 3, "remembered": 4}]
    assert (turns["id"], turns["recorded"], turns["remembered"]) == (IDS[2], 1, 0)
    assert usage["id"] == IDS[0]
    (hour,) = usage["details"]
    assert (hour["kind"], hour["modality"], hour["tier"]) == ("prompt", "TEXT", "standard")
    assert hour["recorded"] == {"quantity": 10, "fresh": 10, "carried": 0}
    assert hour["remembered"] == {"quantity": 17, "fresh": 10, "carried": 0}


def test_rows_that_are_lost_or_of_nobody_are_found_and_five_are_told(scenes: dict[str, Scene]) -> None:
    found = scenes["lost, and of nobody"]
    sides = {each["id"]: (each["recorded"], each["remembered"]) for each in found["sessions"]["examples"]}
    assert sides == {"session-a": (1, 0), "ghost": (0, 1), "nowhere": (0, 1)}
    assert found["turns"]["differ"] == 7
    named = [each["id"] for each in found["turns"]["examples"]]
    assert len(set(named)) == 5
    assert set(named) <= {*IDS, NOBODY}


def test_the_age_of_what_is_remembered_and_of_the_dictionaries_is_told(scenes: dict[str, Scene]) -> None:
    state = scenes["rebuilt"]["state"]
    assert state["settled_upto"].endswith("Z")
    assert (state["remembered_sessions"], state["remembered_turns"]) == (2, 6)
    loaded = {each["name"]: each for each in state["dictionaries"]}
    assert set(loaded) == {"model_price", "price_by_key", "session_root"}
    assert loaded["session_root"]["at"].endswith("Z")
    assert loaded["session_root"]["elements"] == 0
    # Nobody asked for money there.
    assert (loaded["model_price"]["at"], loaded["model_price"]["elements"]) == (None, None)


# --- The verbs. ---


def test_a_difference_is_found_wherever_the_data_is_and_mended_by_the_collector(tmp_path: Path) -> None:
    """A directory at rest, a running collector's, and its SQL endpoint by its address."""
    data = tmp_path / "data"
    with serving(data, "seeded"):
        made = livemeter("rebuild", "--data", data)
    python("-c", ALTERS, data, MORE_TURNS)
    at_rest = livemeter("check", "--data", data)
    with serving(data):
        running = running_collector(data)
        assert running is not None
        by_socket = livemeter("check", "--json", "--data", data)
        by_address = livemeter("check", "--json", "--clickhouse", running.sql_url)
        recent = livemeter("check", "--since", "2099-01-01", "--json", "--data", data)
        rebuilt = livemeter("rebuild", "--json", "--data", data)
    python("-c", ALTERS, data, "")
    mended = livemeter("check", "--json", "--data", data)

    assert made.out == "7 sessions and 8 turns are remembered\n"
    assert at_rest.exit_code == 1
    assert "session film: turns 1, remembered as 2\n" in at_rest.out
    assert at_rest.err == (
        "livemeter: what is remembered differs from the facts: livemeter rebuild makes it anew\n"
    )
    for outcome in (by_socket, by_address):
        said = json.loads(outcome.out)
        assert (outcome.exit_code, said["agrees"]) == (1, False)
        assert counts(said)["sessions"] == (7, 1)
        assert said["sessions"]["examples"][0]["id"] == "film"
        assert said["state"]["unsettled_sessions"] == 0
    # Nothing was said that late, so that nothing is looked at.
    assert (recent.exit_code, json.loads(recent.out)["sessions"]["rows"]) == (0, 0)
    assert json.loads(rebuilt.out) == {"sessions": 7, "turns": 8}
    assert (mended.exit_code, json.loads(mended.out)["agrees"]) == (0, True)
    assert counts(json.loads(mended.out))["sessions"] == (7, 0)


def test_a_directory_at_rest_and_a_server_are_rebuilt_by_the_command(tmp_path: Path) -> None:
    """A server over HTTP, where whoever reads may change no setting in the statement."""
    data = tmp_path / "data"
    with serving(data, "seeded"):
        pass
    at_rest = livemeter("rebuild", "--data", data)
    with child(["-m", "tests.collector.crash.clickhouse", str(data / "clickhouse")]) as server:
        url = f"http://127.0.0.1:{server.ready()['port']}"
        made = livemeter("rebuild", "--clickhouse", url)
        checked = livemeter("check", "--clickhouse", url)
    for outcome in (at_rest, made):
        assert (outcome.out, outcome.err) == ("7 sessions and 8 turns are remembered\n", "")
    assert (checked.exit_code, checked.err) == (0, "livemeter: what is remembered agrees with the facts\n")


@pytest.fixture
def forgetful_store(store: Store) -> Iterator[Store]:
    """Other tests want what they wrote computed."""
    yield store
    for table in ("settlements", *TABLES):
        store.command(f"TRUNCATE TABLE livemeter.{table}")


def test_one_rebuilds_at_a_time_and_stops_with_the_collector(forgetful_store: Store) -> None:
    stopping = asyncio.Event()
    app = Starlette(routes=[Route(PATH, RebuildEndpoint(forgetful_store, stopping), methods=["POST"])])
    with serving_app(app) as port, ThreadPoolExecutor() as threads:
        with SETTLING:
            # The first waits for whoever settles, as the collector does every minute.
            both = [threads.submit(ask, port, body=b"", path=PATH) for _ in range(2)]
            until(lambda: any(each.done() for each in both), "the second is refused")
            assert [each.result().status for each in both if each.done()] == [409]
        (made,) = (each.result() for each in both if each.result().status == 200)
        steps = [json.loads(line) for line in made.body.splitlines()]
        stopping.set()
        (stopped,) = ask(port, body=b"", path=PATH).body.splitlines()
    assert [list(step) for step in steps] == [*[["progress"]] * (len(steps) - 1), ["rebuilt"]]
    assert steps[-2]["progress"] == [len(steps) - 2] * 2
    assert json.loads(stopped)["error"].startswith("the collector ended before everything was settled")


@pytest.mark.parametrize("words", ["check", "rebuild"])
def test_a_directory_without_data_is_said_in_a_line(run: Run, tmp_path: Path, words: str) -> None:
    outcome = run(words, tmp_path / "none")
    assert (outcome.exit_code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert "no livemeter data in" in outcome.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", ["check --since yesterday", "rebuild --since 7d", "check --csv"])
def test_words_that_are_not_understood_are_exit_code_2(run: Run, words: str) -> None:
    assert run(words).exit_code == 2
