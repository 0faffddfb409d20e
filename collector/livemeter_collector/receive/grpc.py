"""OTLP over gRPC: the three ``Export`` methods on raw bytes, so that a request is parsed once, by ``decode``.

A thin shell around ``door.take``. gRPC itself decompresses, and refuses messages over the limit before they
are held in memory.
"""
# grpc-stubs leaves the type arguments of its handlers out.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from livemeter_collector.ingest.request import RefusedError, RequestError, TooLargeError
from livemeter_collector.ingest.writer import Writer
from livemeter_collector.receive.decode import LIMIT_BYTES, PROTOBUF
from livemeter_collector.receive.door import take
from livemeter_collector.receive.rpc_status import retry_info, status
from livemeter_collector.receive.schema import RESPONSES, SERVICES
from livemeter_collector.store.contract import Signal

Context = grpc.aio.ServicerContext[bytes, bytes]
Export = Callable[[bytes, Context], Awaitable[bytes]]


def create_otlp_server(writer: Writer, limit_bytes: int = LIMIT_BYTES) -> grpc.aio.Server:
    """Build the gRPC server with the three OTLP services; ports are added and it is started by the caller."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limit_bytes),
            # Without this a second collector would share the port in silence and take half of the telemetry.
            ("grpc.so_reuseport", 0),
        ]
    )
    server.add_generic_rpc_handlers([_handler(writer, signal, limit_bytes) for signal in Signal])
    return server


def _handler(writer: Writer, signal: Signal, limit_bytes: int) -> "grpc.GenericRpcHandler[bytes, bytes]":
    export = grpc.unary_unary_rpc_method_handler(_export(writer, signal, limit_bytes))
    return grpc.method_handlers_generic_handler(SERVICES[signal], {"Export": export})


def _export(writer: Writer, signal: Signal, limit_bytes: int) -> Export:
    stored = RESPONSES[signal]().SerializeToString()

    async def export(body: bytes, context: Context) -> bytes:
        try:
            await take(writer, signal, PROTOBUF, "", body, limit_bytes)
        except RefusedError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error), _retry_metadata(error))
        except TooLargeError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except RequestError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return stored

    return export


def _retry_metadata(error: RefusedError) -> tuple[tuple[str, bytes], ...]:
    """Say when to come again, both where the specification has it and where the Python exporter looks."""
    return (
        ("google.rpc.retryinfo-bin", retry_info(error).SerializeToString()),
        ("grpc-status-details-bin", status(error).SerializeToString()),
    )
