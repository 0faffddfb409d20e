import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor

from livemeter_collector.listen import ListenError
from livemeter_collector.service import Service, Settings
from livemeter_collector.store.contract import StoreError
from tests.collector.memory_store import MemoryStore, until

if TYPE_CHECKING:
    from livemeter_collector.servers import Addresses


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, otlp_grpc_port=0, otlp_http_port=0, sql_port=0)


class Running:
    """A service in a task, with the addresses it reported."""

    def __init__(self, settings: Settings, store: MemoryStore) -> None:
        self.stop = asyncio.Event()
        self.reported: list[Addresses] = []
        service = Service(settings, lambda _: store)
        self.task = asyncio.create_task(service.run(self.stop, self.reported.append))


@asynccontextmanager
async def running(settings: Settings, store: MemoryStore) -> AsyncIterator[Running]:
    service = Running(settings, store)
    try:
        await until(lambda: bool(service.reported) or service.task.done())
        yield service
    finally:
        store.gate.set()
        service.stop.set()
        await service.task


def send_log(exporter: Callable[[], LogRecordExporter], body: str) -> None:
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(exporter()))
    logging.get_logger("test").emit(body=body)
    logging.shutdown()


async def test_both_protocols_reach_the_store_at_the_reported_addresses(settings: Settings) -> None:
    store = MemoryStore()
    async with running(settings, store) as service:
        (addresses,) = service.reported
        await asyncio.to_thread(
            send_log, lambda: GrpcLogExporter(f"http://{addresses.otlp_grpc}"), "over gRPC"
        )
        await asyncio.to_thread(
            send_log, lambda: HttpLogExporter(f"http://{addresses.otlp_http}/v1/logs"), "over HTTP"
        )
        await until(lambda: store.names == ["over gRPC", "over HTTP"])
    assert await service.task, "ended in order"
    assert store.closed


async def test_what_is_in_the_journal_is_stored_before_the_service_ends(settings: Settings) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(settings, store) as service:
        endpoint = f"http://{service.reported[0].otlp_http}/v1/logs"
        sending = asyncio.create_task(asyncio.to_thread(send_log, lambda: HttpLogExporter(endpoint), "late"))
        await sending
        await until(lambda: store.calls == 1)
        service.stop.set()
        assert not store.closed
    assert store.names == ["late"]
    assert store.calls == 1, "the sender had its answer and did not come again"


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("otlp_grpc_port", "--otlp-grpc-port"),
        ("otlp_http_port", "--otlp-http-port"),
        ("sql_port", "--sql-port"),
    ],
)
async def test_a_port_in_use_is_named_with_its_option_before_the_store_is_opened(
    settings: Settings, field: str, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    opened: list[Settings] = []

    def open_store(wanted: Settings) -> MemoryStore:
        opened.append(wanted)
        return MemoryStore()

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        service = Service(replace(settings, **{field: port}), open_store)
        with pytest.raises(ListenError, match=f"port {port} .* is in use.* {option}"):
            await service.run(asyncio.Event(), lambda _: None)
    assert opened == []
    assert capfd.readouterr() == ("", "")


async def test_two_services_cannot_share_the_grpc_port(settings: Settings) -> None:
    async with running(settings, MemoryStore()) as service:
        port = int(service.reported[0].otlp_grpc.rpartition(":")[2])
        second = Service(replace(settings, otlp_grpc_port=port), lambda _: MemoryStore())
        with pytest.raises(ListenError, match=f"port {port} "):
            await second.run(asyncio.Event(), lambda _: None)


async def test_a_store_that_cannot_be_opened_frees_the_ports(settings: Settings) -> None:
    ports: list[Settings] = []
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    def refuse(wanted: Settings) -> MemoryStore:
        ports.append(wanted)
        raise StoreError("no store today")

    with pytest.raises(StoreError, match="no store today"):
        await Service(replace(settings, sql_port=port), refuse).run(asyncio.Event(), lambda _: None)
    assert ports
    socket.create_server(("127.0.0.1", port)).close()


class _BrokenStore(MemoryStore):
    def insert_otlp(self, *_: object) -> None:
        raise ZeroDivisionError("a bug in the store")


async def test_a_bug_ends_the_service_loudly_and_closes_the_store(settings: Settings) -> None:
    store = _BrokenStore()
    service = Running(settings, store)
    await until(lambda: bool(service.reported))
    endpoint = f"http://{service.reported[0].otlp_http}/v1/logs"
    exporting = asyncio.to_thread(send_log, lambda: HttpLogExporter(endpoint, timeout=1), "a")
    await asyncio.gather(exporting, service.task, return_exceptions=True)
    assert isinstance(service.task.exception(), ZeroDivisionError)
    assert store.closed


async def test_no_output_is_written(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    async with running(settings, MemoryStore()) as service:
        endpoint = f"http://{service.reported[0].otlp_http}/v1/logs"
        await asyncio.to_thread(send_log, lambda: HttpLogExporter(endpoint), "a")
    assert capfd.readouterr() == ("", "")
