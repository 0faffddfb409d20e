"""A hundred exporters at full speed on one collector: nothing lost, memory bounded, latency reported.

Not collected by itself: ``make soak`` names the file. Real exporters of OpenTelemetry's SDK, half over gRPC
and half over HTTP, in four processes; each exports its next batch as soon as the one before is acknowledged.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.collector.crash.processes import ROOT, Collector, collector, free_port

pytestmark = pytest.mark.timeout(3600)

SECONDS = float(os.environ.get("LIVEMETER_SECONDS", "180"))
EXPORTERS, PROCESSES, BATCH = 100, 4, 50
MOST_GROWTH_MB = 400
"""What the engine's caches and merges may take beyond what it had after the first quarter of the time."""

SENDER = """
import json, sys, threading, time
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Grpc
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as Http

http, grpc, process, count, batch, seconds = json.loads(sys.argv[1])
resource, scope = Resource.create({"service.name": f"exporter-{process}"}), InstrumentationScope("soak")
end, lock, waits, delivered, failed = time.monotonic() + seconds, threading.Lock(), [], 0, 0

def work(number):
    global delivered, failed
    exporter = Grpc(grpc, insecure=True) if number % 2 else Http(f"{http}/v1/logs")
    sent = 0
    while time.monotonic() < end:
        records = [
            ReadableLogRecord(
                LogRecord(
                    timestamp=time.time_ns(), body=f"{process}/{number}/{sent + each}",
                    attributes={"number": each},
                ),
                resource, scope,
            )
            for each in range(batch)
        ]
        began = time.perf_counter()
        result = exporter.export(records)
        took = time.perf_counter() - began
        with lock:
            waits.append(took)
            if result.name == "SUCCESS":
                delivered += batch
            else:
                failed += batch
        sent += batch
    exporter.shutdown()

threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
waits.sort()
print(json.dumps({"delivered": delivered, "failed": failed, "waits": waits}))
"""


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


def test_a_hundred_exporters_at_full_speed_lose_nothing(tmp_path: Path) -> None:
    with collector(tmp_path / "data", free_port()) as running:
        said = running.ready()
        senders = [
            subprocess.Popen(
                [sys.executable, "-c", SENDER, json.dumps(options(said, number))],
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            for number in range(PROCESSES)
        ]
        sizes = watched(running.process.pid, senders[0])
        told = [json.loads(sender.communicate(timeout=120)[0]) for sender in senders]
        report(told, sizes)
        assert_everything_arrived(running, sum(each["delivered"] for each in told))
    early, latest = sizes[len(sizes) // 4], max(sizes[len(sizes) // 2 :])
    assert latest - early < MOST_GROWTH_MB, f"{early:.0f} MB, then {latest:.0f} MB"


def options(said: dict[str, Any], process: int) -> list[Any]:
    addresses = [f"http://{said['otlp_http']}", said["otlp_grpc"]]
    return [*addresses, process, EXPORTERS // PROCESSES, BATCH, SECONDS]


def watched(pid: int, sender: "subprocess.Popen[str]") -> list[float]:
    """Look at a process's memory every second for as long as it is sent to."""
    sizes = [resident_mb(pid)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and sender.poll() is None:
        time.sleep(1)
        sizes.append(resident_mb(pid))
    return sizes


def assert_everything_arrived(running: Collector, delivered: int) -> None:
    """Each record once; one whose answer was lost may be there, too."""
    deadline = time.monotonic() + 120
    while int(running.rows("SELECT count() FROM livemeter.logs")[0][0]) < delivered:
        assert time.monotonic() < deadline, running.rows("SELECT count() FROM livemeter.logs")
        time.sleep(0.5)
    [[count, distinct]] = running.rows("SELECT count(), uniqExact(Body) FROM livemeter.logs")
    assert int(count) == int(distinct) >= delivered


def report(told: list[dict[str, Any]], sizes: list[float]) -> None:
    waits = sorted(wait for each in told for wait in each["waits"])
    delivered = sum(each["delivered"] for each in told)
    p50, p99, most = (waits[int((len(waits) - 1) * share)] * 1e3 for share in (0.5, 0.99, 1))
    sys.stdout.write(
        f"{delivered:,} records acknowledged, {sum(each['failed'] for each in told):,} given up, "
        f"{delivered / SECONDS:,.0f} a second; acknowledged after {p50:.0f} ms (p50), {p99:.0f} ms (p99), "
        f"{most:.0f} ms (max); memory {sizes[0]:.0f} to {max(sizes):.0f} MB\n"
    )
