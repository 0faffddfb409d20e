"""What questions of a fleet cost: every public view and every panel, as the store grows tenfold.

Two fleets are generated and kept (``benchmarks/fleet.py``): the whole, a hundred thousand sessions and a
hundred million frames over 30 days unless told otherwise, and a tenth of it over a tenth of the days. So the
last 24 hours hold the same sessions in both, and a question about them should take the same time. Each fleet
is open in a process of its own; every question (``questions.sql``, the commands' and the boards') goes to
one and the other in turn, and the medians are compared:

    ratio   whole to tenth; over 1.3 is flagged, unless the question is about all days
    ms      at the whole; over 100 is flagged

Beside that: what a frame takes on disk, against the stock OpenTelemetry Collector's table for the same
frames, a record each; and what the views add to an insert of events.

    python benchmarks/queries.py [--sessions 100000] [--frames 100000000] [--rounds 5] [--data DIR]
                                 [--small-only] [--only WORD] [--parts questions,disk,inserts] [--json]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from string import Template
from typing import IO, TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import fleet  # noqa: E402 - found only now
from benchmarks.fleet_events import Plan  # noqa: E402
from livemeter.vocabulary import Attribute, Event  # noqa: E402

if TYPE_CHECKING:
    from livemeter_collector.store.contract import Parameters, Store

RATIO, SLOW_MS = 1.3, 100.0
WINDOW_MS = 86_400_000
PARTS = ("questions", "disk", "inserts")
STOCK_SESSIONS, STOCK_FRAMES = 1000, 1_000_000
INSERT_ROUNDS = 3
LARGE, SMALL, SMALL_INSERTS = 50_000, 50, 10
"""Records of a large insert, of a small one, and how many small ones there are."""

Json = dict[str, Any]
Values = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Question:
    """A SELECT about a view, or of a command or a panel."""

    view: str
    name: str
    sql: str
    is_windowed: bool = True
    """It is about the last 24 hours or about one session, which are the same in both fleets."""
    parameters: "Parameters" = field(default_factory=dict[str, Any])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=fleet.SESSIONS, help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=fleet.FRAMES, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="times each question is asked (default: 5)")
    parser.add_argument(
        "--data", type=Path, help="where the fleets are kept (default: in ~/.cache/livemeter)"
    )
    parser.add_argument("--small-only", action="store_true", help="the tenth alone, without ratios")
    parser.add_argument("--only", default="", help="questions whose view or name has this in it")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts (default: all)")
    parser.add_argument("--json", action="store_true", help="write JSON")
    for option in ("--answer", "--stock", "--insert-all", "--insert-logs", "--events"):
        parser.add_argument(option, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        return answer(arguments.answer)
    if arguments.stock:
        return stock(arguments.stock)
    if arguments.events:
        return insert(arguments.insert_all or arguments.insert_logs, arguments.events, arguments.insert_all)
    results = measure(arguments)
    if arguments.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    else:
        show(results)
    return 0


def measure(arguments: argparse.Namespace) -> Json:
    directories = kept_fleets(arguments)
    parts = arguments.parts.split(",")
    plans = {name: fleet.read_fleet(path) for name, path in directories.items()}
    results: Json = {"fleets": {name: asdict(plan) for name, plan in plans.items() if plan}}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with ExitStack() as opened:
            fleets = {name: opened.enter_context(_open(path)) for name, path in directories.items()}
            if "questions" in parts:
                small = fleets["small"]
                questions = questions_for(small.plan, small.values)
                results["questions"] = ask_all(fleets, questions, arguments)
                results["not_asked"] = views_without_questions(small.values)
            if "disk" in parts:
                results["tables"] = {name: each.tables() for name, each in fleets.items()}
            if "inserts" in parts:
                _export_events(fleets["small"], folder)
        if "disk" in parts:
            results["frames"] = measure_frames(results["tables"])
        if "inserts" in parts:
            results["inserts"] = measure_inserts(folder)
    return results


def show(results: Json) -> None:
    lines: list[str] = []
    for name, plan in results["fleets"].items():
        lines.append(
            f"{name}: {plan['sessions']:,} sessions, {plan['frames']:,} frames, {plan['days']:g} days"
        )
    if "questions" in results:
        lines += ["", *_shown_questions(results["questions"])]
        if results["not_asked"]:
            lines += ["", f"views that nobody asks: {', '.join(results['not_asked'])}"]
    if "frames" in results:
        lines += ["", "bytes a frame on disk"]
        lines += [f"    {name:<38}{size:>8.2f}" for name, size in results["frames"].items()]
    if "inserts" in results:
        lines += ["", *_shown_inserts(results["inserts"])]
    sys.stdout.write("\n".join(lines) + "\n")


def _shown_questions(questions: list[Json]) -> Iterator[str]:
    yield f"{'slowest first':<62}{'small ms':>10}{'big ms':>10}{'big CPU':>10}{'ratio':>8}{'rows':>8}"
    for asked in sorted(questions, key=_slowness, reverse=True):
        name = f"{asked['view']}: {asked['name']}"
        if "error" in asked:
            yield f"{name:<62}{asked['error']}"
            continue
        big = asked.get("big")
        figures = [asked["small"]["ms"], *((big["ms"], big["cpu_ms"]) if big else ())]
        line = f"{name:<62}" + "".join(f"{figure:>10.1f}" for figure in figures)
        ratio = f"{asked['ratio']:>8.2f}" if big else ""
        yield f"{line}{ratio}{asked['small']['rows']:>8,}  {', '.join(asked['flags'])}".rstrip()


def _slowness(asked: Json) -> float:
    return float(asked["big" if "big" in asked else "small"]["ms"]) if "error" not in asked else float("inf")


def _shown_inserts(inserts: Json) -> Iterator[str]:
    yield f"{'CPU of an insert of events':<42}{'all views':>12}{'logs alone':>12}{'the views':>12}"
    units = {
        "large_us": f"us a record, {inserts['records']:,} at once",
        "small_ms": f"ms, {SMALL} records at once",
    }
    for figure, unit in units.items():
        all_views, logs = inserts["all"][figure], inserts["logs"][figure]
        yield f"    {unit:<38}{all_views:>12.1f}{logs:>12.1f}{all_views - logs:>12.1f}"


# The fleets.


def kept_fleets(arguments: argparse.Namespace) -> dict[str, Path]:
    """Generate what is not there, each in a process of its own; return the directories by name."""
    sessions, frames = arguments.sessions, arguments.frames
    folder = arguments.data or _cache(sessions, frames)
    sizes = {"small": 10} | ({} if arguments.small_only else {"big": 1})
    directories = {name: folder / name for name in sizes}
    kept = [plan for path in directories.values() if (plan := fleet.read_fleet(path))]
    end_ms = kept[-1].end_ms if kept else fleet.current_hour_ms()
    for name, part in sizes.items():
        plan = Plan(sessions // part, frames // part, fleet.DAYS / part, end_ms)
        if fleet.read_fleet(directories[name]) != plan:
            program = [sys.executable, str(ROOT / "benchmarks" / "fleet.py"), str(directories[name])]
            subprocess.run([*program, *fleet.options(plan)], check=True)
    return directories


def _cache(sessions: int, frames: int) -> Path:
    from livemeter_collector.store.migrate import read_schema

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{Plan.generator}.{read_schema().number}"
    return cache / "livemeter" / f"fleet-{sessions}-{frames}-{version}"


class Fleet:
    """A fleet that is open in a process of its own, which answers one request after the other."""

    def __init__(self, process: "subprocess.Popen[str]", plan: Plan) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout
        self.plan = plan

    def request(self, **request: Any) -> Json:
        """Return what a request came to; with ``error`` if it failed."""
        self._in.write(json.dumps(request) + "\n")
        self._in.flush()
        line = self._out.readline()
        if not line:
            raise SystemExit("a fleet cannot be opened, or its process died: see above")
        reply: Json = json.loads(line)
        return reply

    def values(self, sql: str) -> list[list[Any]]:
        """Return a small answer's rows."""
        reply = self.request(sql=sql, values=True)
        assert "error" not in reply, reply["error"]
        rows: list[list[Any]] = reply["values"]
        return rows

    def tables(self) -> Json:
        """Return rows and bytes on disk of each table."""
        rows = self.values(
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts"
            " WHERE active AND database = 'livemeter' GROUP BY table ORDER BY table"
        )
        return {table: {"rows": int(count), "bytes": int(size)} for table, count, size in rows}


@contextmanager
def _open(directory: Path) -> Generator[Fleet]:
    plan = fleet.read_fleet(directory)
    assert plan is not None
    command = [sys.executable, __file__, "--answer", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        opened = Fleet(process, plan)
        try:
            opened.values("SELECT 1")
            yield opened
        finally:
            assert process.stdin is not None
            process.stdin.close()


def answer(directory: Path) -> int:
    """Answer requests, a line each, until there are no more."""
    from livemeter_collector.store.contract import StoreError

    store = fleet.open_fleet(directory)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = _reply(store, request)
        except StoreError as error:
            reply = {"error": str(error)}
        sys.stdout.write(json.dumps(reply, default=str) + "\n")
        sys.stdout.flush()
    store.close()
    return 0


def _reply(store: "Store", request: Json) -> Json:
    sql: str = request["sql"]
    parameters: Parameters = request.get("parameters", {})
    if request.get("values"):
        return {"values": store.query(sql, parameters).rows}
    if request.get("file"):
        with Path(request["file"]).open("wb") as file:
            file.writelines(store.stream(sql, "Native", parameters))
        return {}
    cpu_s, began = time.process_time(), time.perf_counter()
    # The engine remembers which marks a condition left over, but nobody asks about the same moment twice.
    settings = {"use_query_condition_cache": "0"}
    rows = sum(chunk.count(b"\n") for chunk in store.stream(sql, "JSONEachRow", parameters, settings))
    ms = (time.perf_counter() - began) * 1000
    return {"ms": ms, "cpu_ms": (time.process_time() - cpu_s) * 1000, "rows": rows}


# The questions.


def ask_all(
    fleets: Mapping[str, Fleet], questions: list[Question], arguments: argparse.Namespace
) -> list[Json]:
    chosen = [each for each in questions if arguments.only in f"{each.view}: {each.name}"]
    results: list[Json] = []
    for number, question in enumerate(chosen):
        sys.stderr.write(f"\r{number + 1}/{len(chosen)} {question.view}: {question.name:<50.50}")
        results.append(ask(fleets, question, arguments.rounds))
    sys.stderr.write("\r" + " " * 100 + "\r")
    return results


def ask(fleets: Mapping[str, Fleet], question: Question, rounds: int) -> Json:
    """Ask every fleet in turn, once before it counts; return medians, and what is wrong with them."""
    result: Json = {"view": question.view, "name": question.name, "is_windowed": question.is_windowed}
    runs: dict[str, list[Json]] = {name: [] for name in fleets}
    for _ in range(rounds + 1):
        for name, each in fleets.items():
            run = each.request(sql=question.sql, parameters=dict(question.parameters))
            if "error" in run:
                return {**result, "error": run["error"]}
            runs[name].append(run)
    for name, (first, *others) in runs.items():
        medians = {figure: round(statistics.median(run[figure] for run in others), 2) for figure in first}
        extremes = {"first_ms": first["ms"], "best_ms": min(run["ms"] for run in others)}
        result[name] = {**medians, "rows": first["rows"]} | {
            key: round(ms, 2) for key, ms in extremes.items()
        }
    if len(fleets) > 1:
        result["ratio"] = round(result["big"]["ms"] / result["small"]["ms"], 3)
    return {**result, "flags": flags_of(result)}


def flags_of(result: Json) -> list[str]:
    """Return what is beyond the aims: too slow, growing with the fleet, or another answer."""
    small, big = result["small"], result.get("big")
    flags = [f"over {SLOW_MS:g} ms"] if (big or small)["ms"] > SLOW_MS else []
    if big and result["is_windowed"]:
        if result["ratio"] > RATIO:
            flags.append(f"over {RATIO:g}")
        if big["rows"] != small["rows"]:
            flags.append(f"{big['rows']:,} rows in the big one")
    return flags


def questions_for(plan: Plan, values: Values) -> list[Question]:
    """Return what can be asked of a fleet: questions about views that it has, of commands and of panels.

    Args:
        plan: the fleet's.
        values: answers a SELECT with rows.
    """
    since_ms = plan.end_ms - WINDOW_MS
    ((session, connection, user),) = values(_SESSION)
    fill = {
        "since": f"fromUnixTimestamp64Milli({since_ms})",
        "session": f"'{session}'",
        "connection": f"'{connection}'",
        "user": f"'{user}'",
    }
    views = {view for (view,) in values(_VIEWS)}
    asked = [question for question in written_questions() if question.view in views]
    return [
        Question("engine", "SELECT 1", "SELECT 1"),
        *(replace(question, sql=Template(question.sql).substitute(fill)) for question in asked),
        *_commands(since_ms),
        *_panels(plan),
    ]


def written_questions() -> list[Question]:
    """Return the questions of the file, with their placeholders."""
    text = (ROOT / "benchmarks" / "questions.sql").read_text("utf-8")
    _, *parts = re.split(r"^-- (live_\w+): (.+)\n", text, flags=re.MULTILINE)
    return [
        Question(view, name, sql.strip(), is_windowed=not name.endswith("all days"))
        for view, name, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]


def views_without_questions(values: Values) -> list[str]:
    """Return the public views that nothing is asked of."""
    views = {view for (view,) in values(_VIEWS) if view.startswith("live_")}
    return sorted(views - {question.view for question in written_questions()})


def _commands(since_ms: int) -> Iterator[Question]:
    """Yield what ``livemeter sessions``, ``costs`` and ``closes`` ask, with ``--since 24h``."""
    anything: Parameters = {"status": "", "model": "", "user": "", "session": ""}
    asked: dict[str, Parameters] = {
        "sessions": {"limit": 100, **anything},
        "costs": {"by": ["model"]},
        "closes": {"limit": 100},
    }
    for name, parameters in asked.items():
        file = resources.files("livemeter_collector.query") / "queries" / f"{name}.sql"
        yield Question(
            "command", name, file.read_text("utf-8"), parameters={"since_ms": since_ms, **parameters}
        )


class _All(dict[str, tuple[str, ...]]):
    """The choices of a reader who lets every variable be All."""

    def __missing__(self, name: str) -> tuple[str, ...]:
        from tests.dashboards.plugin import ALL

        return ALL


def _panels(plan: Plan) -> Iterator[Question]:
    """Yield every query of every board as Grafana sends it, for the last 24 hours."""
    from tests.dashboards.boards import QUERIES
    from tests.dashboards.plugin import View, expand

    view = View(plan.end_ms - WINDOW_MS, plan.end_ms, _All())
    for query in QUERIES:
        yield Question("panel", f"{query.board}, {query.owner}", expand(query.sql, view))


_VIEWS = "SELECT name FROM system.tables WHERE database = 'livemeter' AND engine = 'View'"
_SESSION = """
SELECT session_id, connection_id, user_id
FROM livemeter.live_connections
WHERE closed_at IS NOT NULL AND user_id != ''
ORDER BY resumed DESC, opened_at DESC
LIMIT 1
"""


# Frames on disk.


def measure_frames(tables: Json) -> dict[str, float]:
    sizes = {
        f"frames, {name}, {each['frames']['rows']:,} frames": each["frames"]["bytes"] / each["frames"]["rows"]
        for name, each in tables.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        sample = _child("--stock", folder)
    return {
        **sizes,
        f"frames, sample, {sample['frames']:,}": sample["bytes"] / sample["frames"],
        "otel_logs as stock, same sample": sample["stock_bytes"] / sample["frames"],
        "otel_logs as stock, with its indexes": sample["indexed_bytes"] / sample["frames"],
    }


def _child(*options: str) -> Json:
    finished = subprocess.run([sys.executable, __file__, *options], stdout=subprocess.PIPE, check=True)
    said: Json = json.loads(finished.stdout.splitlines()[-1])
    return said


def stock(directory: Path) -> int:
    """Store the same frames our way and as the stock Collector does, merge both, and say what they take."""
    days = fleet.DAYS * STOCK_SESSIONS / fleet.SESSIONS
    store = fleet.open_fleet(directory)
    fleet.generate(store, Plan(STOCK_SESSIONS, STOCK_FRAMES, days, fleet.current_hour_ms()))
    names = {"frames": "bytes", "stock": "stock_bytes", "indexed": "indexed_bytes"}
    for name in ("stock", "indexed"):
        store.command(_STOCK_TABLE.format(name))
    for number, index in enumerate(_STOCK_INDEXES):
        store.command(f"ALTER TABLE livemeter.indexed ADD INDEX stock_{number} {index}")
    for name in ("stock", "indexed"):
        store.command(f"INSERT INTO livemeter.{name} {_as_records()}")
    said: Json = {}
    for name, figure in names.items():
        store.command(f"OPTIMIZE TABLE livemeter.{name} FINAL")
        ((count, size),) = store.query(_SIZE, {"table": name}).rows
        said |= {figure: size, "frames": count}
    store.close()
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


_SIZE = """
SELECT sum(rows), sum(bytes_on_disk)
FROM system.parts
WHERE active AND database = 'livemeter' AND table = {table:String}
"""

# Our table of other records has the stock one's columns and codecs; order, partitions and indexes differ.
_STOCK_TABLE = """
CREATE TABLE livemeter.{} AS livemeter.logs
ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
"""
_MAPS = ("ResourceAttributes", "ScopeAttributes", "LogAttributes")
_STOCK_INDEXES = (
    "TraceId TYPE text(tokenizer = 'array')",
    *(
        f"{half}({name}) TYPE text(tokenizer = 'array')"
        for name in _MAPS
        for half in ("mapKeys", "mapValues")
    ),
    "lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')",
)


def _as_records() -> str:
    """Return a SELECT of frames as the log records that the instrumentation makes of them, one each."""
    common = (Attribute.CONNECTION_ID, Attribute.SESSION_ID, Attribute.PROVIDER, Attribute.PLATFORM,
              Attribute.MODEL, Attribute.USER_ID, Attribute.EMITTER_ID)  # fmt: skip
    own = {
        Attribute.EMITTER_SEQ: "number",
        Attribute.FRAME_SEQ: "seq",
        Attribute.FRAME_DIRECTION: "direction",
        Attribute.FRAME_KIND: "kind",
        Attribute.FRAME_CONTENTS: "if(empty(contents), '', toJSONString(contents))",
        Attribute.FRAME_BYTES: "bytes",
        Attribute.FRAME_AUDIO_MS: "audio_ms",
        Attribute.FRAME_SAMPLE_RATE: "if(sample_rate = 0, '', toString(sample_rate))",
        Attribute.TURN: "turn",
    }
    return Template(_RECORDS).substitute(
        common=str([str(name) for name in common]),
        own=", ".join(f"'{name}', toString({value})" for name, value in own.items()),
        connection=Attribute.CONNECTION_ID,
        emitter=Attribute.EMITTER_ID,
        label=Attribute.LABEL_PREFIX,
        started=Event.CONNECTION_STARTED,
        frame=Event.FRAME,
    )


_RECORDS = """
(
    Timestamp, ServiceName, SeverityText, SeverityNumber, ResourceAttributes, ScopeName, ScopeVersion,
    LogAttributes, EventName
)
WITH told AS
(
    SELECT
        livemeter_connection_id(LogAttributes['$connection']) AS connection_id,
        LogAttributes['$emitter'] AS emitter_id,
        ServiceName, ResourceAttributes, ScopeName, ScopeVersion,
        mapFilter((name, value) -> name IN $common OR startsWith(name, '$label'), LogAttributes) AS common
    FROM livemeter.logs
    WHERE EventName = '$started'
)
SELECT
    ts, ServiceName, 'INFO', 9, ResourceAttributes, ScopeName, ScopeVersion,
    mapConcat(common, mapFilter((name, value) -> value != '', map($own))),
    '$frame'
FROM
(
    SELECT frames.*, row_number() OVER (PARTITION BY emitter_id ORDER BY ts, connection_id, seq) AS number
    FROM livemeter.frames AS frames
    INNER JOIN (SELECT connection_id, emitter_id FROM told) AS emitters USING (connection_id)
) AS numbered
INNER JOIN told USING (connection_id)
-- Rows of a kilobyte: in blocks that the engine's memory holds.
SETTINGS
    max_threads = 1, max_block_size = 8192,
    min_insert_block_size_rows = 65536, min_insert_block_size_bytes = 67108864
"""


# What the views add to an insert.


def _export_events(opened: Fleet, folder: Path) -> None:
    """Write events of the last 24 hours to files, as rows of the landing table."""
    for number in range(SMALL_INSERTS + 1):
        sql = Template(_EVENTS).substitute(
            since_ms=opened.plan.end_ms - WINDOW_MS,
            emitter=Attribute.EMITTER_ID,
            count=LARGE if number == SMALL_INSERTS else SMALL,
            offset=number * SMALL,
        )
        reply = opened.request(sql=sql, file=str(folder / f"{number}.native"))
        assert "error" not in reply, reply["error"]


_EVENTS = """
SELECT *
FROM livemeter.logs
WHERE Timestamp >= fromUnixTimestamp64Milli($since_ms)
ORDER BY Timestamp, LogAttributes['$emitter'], Body
LIMIT $count OFFSET $offset
"""


def measure_inserts(files: Path) -> Json:
    """Return medians of CPU: a large insert, microseconds a record; a small one, milliseconds."""
    runs: dict[str, list[Json]] = {"all": [], "logs": []}
    for number in range(INSERT_ROUNDS):
        sys.stderr.write(f"\rinserts: {number + 1}/{INSERT_ROUNDS} ")
        for kind, each in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                each.append(_child(f"--insert-{kind}", folder, "--events", str(files)))
    sys.stderr.write("\r")
    figures = ("large_us", "small_ms")
    return {
        "records": runs["all"][0]["records"],
        **{
            kind: {figure: round(statistics.median(run[figure] for run in each), 2) for figure in figures}
            for kind, each in runs.items()
        },
    }


def insert(directory: Path, files: Path, all_views: object) -> int:
    """Insert the files into a new store and say what that took."""
    store = fleet.open_fleet(directory)
    if not all_views:
        for (view,) in store.query(_READERS_OF_EVENTS).rows:
            store.command(f"DROP VIEW livemeter.{view}")
    # The first insert of a process prepares things for all others.
    _insert_cpu_s(store, files, 0)
    small = [_insert_cpu_s(store, files, number) for number in range(1, SMALL_INSERTS)]
    ((before,),) = store.query("SELECT count() FROM livemeter.logs").rows
    large_s = _insert_cpu_s(store, files, SMALL_INSERTS)
    ((after,),) = store.query("SELECT count() FROM livemeter.logs").rows
    store.close()
    records = int(str(after)) - int(str(before))
    said = {
        "records": records,
        "large_us": large_s / records * 1e6,
        "small_ms": statistics.median(small) * 1e3,
    }
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


_READERS_OF_EVENTS = """
SELECT name
FROM system.tables
WHERE database = 'livemeter' AND engine = 'MaterializedView' AND name != 'otel_logs_to_logs'
    AND match(as_select, 'FROM livemeter.otel_logs\\\\b')
"""


def _insert_cpu_s(store: "Store", files: Path, number: int) -> float:
    from livemeter_collector.store.insert import INSERT_SETTINGS

    settings = {**INSERT_SETTINGS, "insert_deduplication_token": f"insert-{number}"}
    listed = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
    rows = f"FROM INFILE '{files}/{number}.native' SETTINGS {listed} FORMAT Native"
    began = time.process_time()
    store.command(f"INSERT INTO livemeter.otel_logs {rows}")
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
