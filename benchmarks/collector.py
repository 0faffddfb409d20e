"""What taking telemetry costs the collector: CPU from socket to queryable, against the engine's own limit.

Each payload goes the same way in one run, side by side:

    collector  a collector in a process of its own (receivers, journal, embedded engine, all views), fed over
               OTLP/HTTP by four connections of this process, until a query finds everything
    engine     the same bytes given to the same engine with the same tables in large inserts: what ClickHouse
               alone needs, in a process of its own
    otelcol    the stock OpenTelemetry Collector with clickhouseexporter, when OTELCOL_BIN names a binary and
               OTELCOL_CLICKHOUSE a server that it can insert into

    packed     frames as they come by default, a hundred in one event
    records    the same frames, an event each
    ordinary   log records of eight attributes, of nobody's frames

    python benchmarks/collector.py [--rounds 3] [--size 1] [--json]
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FRAMES_AN_EVENT = 100
SENDERS = 4
UNITS = {"packed": "frame", "records": "frame", "ordinary": "record"}
REQUESTS = {"packed": 200, "records": 200, "ordinary": 200}
"""Requests of one round with ``--size 1``."""

EVENTS_A_REQUEST = {"packed": 50, "records": 500, "ordinary": 500}


@dataclass(frozen=True)
class Payload:
    """Requests, how many units are in them, and the query that counts them in the store."""

    bodies: list[bytes]
    units: int
    counted_by: str


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default: 3)")
    parser.add_argument("--size", type=float, default=1, help="larger or smaller payloads (default: 1)")
    parser.add_argument("--payloads", default=",".join(UNITS), help="which payloads (default: all)")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve)
    if arguments.engine:
        return engine(arguments.engine)
    if not os.environ.get("OTELCOL_BIN"):
        sys.stderr.write("OTELCOL_BIN names no stock Collector: measured without it\n")
    results = [measure(name, arguments.rounds, arguments.size) for name in arguments.payloads.split(",")]
    if arguments.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    else:
        show(results)
    return 0


def measure(name: str, rounds: int, size: float) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {"collector": [], "engine": []}
    for number in range(rounds):
        sys.stderr.write(f"\r{name}: {number + 1}/{rounds} ")
        payload = payload_of(name, size)
        runs["collector"].append(run_collector(payload))
        runs["engine"].append(run_engine(payload))
    sys.stderr.write("\r")
    return {
        "payload": name,
        "unit": UNITS[name],
        "units": payload.units,
        "bytes_a_unit": round(sum(map(len, payload.bodies)) / payload.units, 1),
        **{
            kind: {figure: round(statistics.median(run[figure] for run in each), 3) for figure in each[0]}
            for kind, each in runs.items()
        },
        "share_of_the_engine": round(
            statistics.median(
                engine["cpu_us"] / collector["cpu_us"]
                for collector, engine in zip(runs["collector"], runs["engine"], strict=True)
            ),
            2,
        ),
    }


def show(results: list[dict[str, Any]]) -> None:
    head = f"{'payload':<10}{'units':>10}{'B each':>8}   {'kind':<11}{'us CPU each':>12}"
    head += f"{'each/s':>12}{'ack p99 ms':>12}"
    sys.stdout.write(f"{head}\n")
    for row in results:
        first = f"{row['payload']:<10}{row['units']:>10,}{row['bytes_a_unit']:>8}"
        for kind in ("collector", "engine"):
            each = row[kind]
            ack = f"{each['ack_p99_ms']:>12.1f}" if "ack_p99_ms" in each else ""
            sys.stdout.write(f"{first}   {kind:<11}{each['cpu_us']:>12.3f}{each['per_s']:>12,.0f}{ack}\n")
            first = " " * len(first)
        sys.stdout.write(f"{first}   {row['share_of_the_engine']:.0%} of what the engine alone can do\n")


# What is sent.


def payload_of(name: str, size: float) -> Payload:
    """Make requests that nobody has sent before: the collector would know them again."""
    count = max(1, round(REQUESTS[name] * size))
    app = uuid.uuid4().hex
    bodies = [request_of(name, app) for _ in range(count)]
    if name == "ordinary":
        units = count * EVENTS_A_REQUEST[name]
        return Payload(bodies, units, "SELECT count() FROM livemeter.logs")
    events = count * EVENTS_A_REQUEST[name]
    units = events * FRAMES_AN_EVENT if name == "packed" else events
    return Payload(bodies, units, "SELECT count() FROM livemeter.frames")


def request_of(name: str, app: str) -> bytes:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    for number in range(7):
        resource.resource.attributes.add(key=f"resource.attribute.{number}").value.string_value = "value"
    resource.resource.attributes.add(key="service.name").value.string_value = app
    records = resource.scope_logs.add().log_records
    for number in range(EVENTS_A_REQUEST[name] if name == "ordinary" else 0):
        record = records.add(time_unix_nano=time.time_ns(), severity_text="INFO", severity_number=9)
        record.body.string_value = f"request {number} of {uuid.uuid4()} took {number * 7 % 311} ms"
        for attribute in range(8):
            value = record.attributes.add(key=f"http.attribute.{attribute}").value
            value.string_value = f"value {number * attribute % 97}"
    if name != "ordinary":
        frames_into(records, packed=name == "packed", count=EVENTS_A_REQUEST[name])
    return request.SerializeToString()


def frames_into(records: Any, *, packed: bool, count: int) -> None:
    """Add events of frames as the instrumentation makes them: ten connections, half sent, half received."""
    from livemeter.emit.frames import frame_records, packed_record
    from livemeter.vocabulary import Attribute

    emitter = uuid.uuid4().hex
    connections = [uuid.uuid4().hex for _ in range(10)]
    made = 0
    while made < count:
        fact = frames_fact(made * FRAMES_AN_EVENT)
        for record in [packed_record(fact)] if packed else frame_records(fact):
            if made == count:
                return
            added = records.add(time_unix_nano=record.at_ns, event_name=str(record.event))
            if record.body:
                added.body.string_value = record.body
            values = {
                **record.attributes,
                Attribute.CONNECTION_ID: connections[made % 10],
                Attribute.SESSION_ID: connections[made % 10],
                Attribute.MODEL: "gemini-3.8-live",
                Attribute.PLATFORM: "gemini_api",
                Attribute.EMITTER_ID: emitter,
                Attribute.EMITTER_SEQ: made,
            }
            for key, value in values.items():
                place = added.attributes.add(key=str(key)).value
                if isinstance(value, int):
                    place.int_value = value
                else:
                    place.string_value = str(value)
            made += 1


def frames_fact(first: int) -> Any:
    from livemeter.observer.facts import FramesRecorded

    count = FRAMES_AN_EVENT
    now_ns = time.time_ns()
    return FramesRecorded(
        at_ns=now_ns,
        first_seq=first,
        base_ms=now_ns // 1_000_000,
        offsets_ms=(0, *((number * 7) % 23 for number in range(count - 1))),
        directions=tuple(number % 2 for number in range(count)),
        kinds=tuple("serverContent" if number % 2 else "realtimeInput" for number in range(count)),
        contents=((),) * count,
        bytes=tuple(1390 + number % 3 if number % 2 else 963 for number in range(count)),
        audio_ms=(20,) * count,
        sample_rates=tuple(24_000 if number % 2 else 16_000 for number in range(count)),
        turns=(3,) * count,
        handle_hashes=(),
    )


# The collector.


def run_collector(payload: Payload) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, otlp, sql):
        before_s, began = cpu_s(process.pid), time.perf_counter()
        acks = send(otlp, payload.bodies)
        while query(sql, payload.counted_by) < payload.units:
            time.sleep(0.05)
        took_s = time.perf_counter() - began
        spent_s = cpu_s(process.pid) - before_s
        found = query(sql, payload.counted_by)
        assert found == payload.units, f"{found} of {payload.units} units"
    acks.sort()
    return {
        "cpu_us": spent_s / payload.units * 1e6,
        "per_s": payload.units / took_s,
        "ack_p50_ms": acks[len(acks) // 2] * 1e3,
        "ack_p99_ms": acks[int(len(acks) * 0.99)] * 1e3,
    }


@contextmanager
def collector(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    command = [sys.executable, __file__, "--serve", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            addresses = json.loads(process.stdout.readline())
            yield process, addresses["otlp_http"], addresses["sql"]
        finally:
            process.terminate()


def serve(folder: Path) -> int:
    """Run a collector until SIGTERM."""
    import asyncio
    import signal

    from livemeter_collector.service import Addresses, Service, Settings

    def ready(addresses: Addresses) -> None:
        sys.stdout.write(json.dumps({"otlp_http": addresses.otlp_http, "sql": addresses.sql}) + "\n")
        sys.stdout.flush()

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        settings = Settings(data_dir=folder, otlp_grpc_port=0, otlp_http_port=0, sql_port=0)
        await Service(settings).run(stop, ready)

    asyncio.run(run())
    return 0


def send(address: str, bodies: list[bytes]) -> list[float]:
    """Send all requests over a few connections; return how long each waited for its answer, in seconds."""
    waiting, acks, lock = iter(bodies), list[float](), threading.Lock()

    def sender() -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            began = time.perf_counter()
            connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            acks.append(time.perf_counter() - began)

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(acks) == len(bodies), "a sender died"
    return acks


def query(address: str, sql: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/?" + urllib.parse.urlencode({"query": sql}))
    answer = connection.getresponse().read()
    connection.close()
    return int(answer)


def cpu_s(pid: int) -> float:
    """CPU time of a process, all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# The engine alone.


def run_engine(payload: Payload) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bodies").write_bytes(b"".join(payload.bodies))
        command = [sys.executable, __file__, "--engine", folder]
        finished = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        spent = json.loads(finished.stdout)
    return {"cpu_us": spent["cpu_s"] / payload.units * 1e6, "per_s": payload.units / spent["wall_s"]}


def engine(folder: Path) -> int:
    """Insert a file's bytes in one piece, and say what that took."""
    from livemeter_collector.service import Settings, open_store
    from livemeter_collector.store.contract import Signal

    body = (folder / "bodies").read_bytes()
    store = open_store(Settings(data_dir=folder / "data"))
    cpu, wall = time.process_time(), time.perf_counter()
    store.insert_otlp(Signal.LOGS, body, "all")
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    store.close()
    sys.stdout.write(json.dumps(spent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
