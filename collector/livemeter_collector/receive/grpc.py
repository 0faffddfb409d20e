"""OTLP over gRPC: the three ``Export`` methods on raw bytes, so that a request is parsed once, by ``decode``.

A thin shell around ``door.take``. gRPC refuses messages over the limit before they are held in memory.
Compressed ones it hands on as they came: before 1.84 it would decompress a bomb as a whole and look at its
size then. The methods are served as streams of one message, which is the same on the wire: so a caller is
known before the first byte of a message is read, and a message that trickles in has a deadline.
"""
# grpc-stubs leaves the type arguments of its handlers out.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast

import grpc
import grpc.aio

from livemeter_collector.access import Access, Refusal, bearer_token
from livemeter_collector.ingest.request import MalformedError, RefusedError, RequestError, TooLargeError
from livemeter_collector.receive.decode import LIMIT_BYTES, PROTOBUF
from livemeter_collector.receive.door import Acceptor, take
from livemeter_collector.receive.room import HELD_BYTES, Room
from livemeter_collector.receive.rpc_status import retry_info, status
from livemeter_collector.receive.schema import RESPONSES, SERVICES
from livemeter_collector.store.contract import Signal

Context = grpc.aio.ServicerContext[bytes, bytes]
Export = Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class GrpcLimits:
    """What one client, and all of them, may take; times in seconds."""

    handshake_s: float = 10.0
    """For TLS and HTTP/2 to begin."""
    body_s: float = 30.0
    """For the message of a call to arrive."""
    connections: int = 1000
    """More are closed as they come."""
    streams: int = 256
    """Calls at once on a connection; what is more is UNAVAILABLE and comes again."""
    held_bytes: int = HELD_BYTES
    """All messages together, from their arrival until they are kept or turned away."""
    metadata_bytes: int = 16 * 1024
    """Headers of a call."""
    ping_interval_s: float = 10.0
    """A client that pings more often while it sends nothing is cut off; so is one that answers no ping."""
    idle_s: float = 600.0
    """A connection without a call is closed; clients open it again by themselves."""
    age_s: float = 1800.0
    """A connection is replaced, and what it could hold for ever ends ``body_s`` later."""


_LIMITS = GrpcLimits()
_ZLIB_HEADERS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_NOBODY_ELSE = Access()


def create_otlp_server(
    acceptor: Acceptor,
    limit_bytes: int = LIMIT_BYTES,
    access: Access = _NOBODY_ELSE,
    limits: GrpcLimits = _LIMITS,
) -> grpc.aio.Server:
    """Build the gRPC server with the three OTLP services; ``open_port``, then start it."""
    server = grpc.aio.server(options=_options(limit_bytes, limits))
    room = Room(limits.held_bytes)
    doors = (_Door(acceptor, signal, limit_bytes, access, limits.body_s, room) for signal in Signal)
    server.add_generic_rpc_handlers([door.handler() for door in doors])
    return server


def open_port(server: grpc.aio.Server, address: str, access: Access = _NOBODY_ELSE) -> int:
    """Listen on ``host:port``, with TLS when there is a certificate; returns the real port.

    Raises:
        AccessError: the certificates cannot be used.
        RuntimeError: the port cannot be had.
    """
    # gRPC says of a certificate only that it failed; this says why.
    if access.ssl_context() is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, _credentials(access))


def _credentials(access: Access) -> grpc.ServerCredentials:
    key, certificate = (path.read_bytes() for path in (access.key, access.certificate) if path is not None)
    authorities = None if access.client_ca is None else access.client_ca.read_bytes()
    return grpc.ssl_server_credentials([(key, certificate)], authorities, authorities is not None)


def _options(limit_bytes: int, limits: GrpcLimits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limit_bytes),
        ("grpc.per_message_decompression", 0),
        # Without this a second collector would share the port in silence and take half of the telemetry.
        ("grpc.so_reuseport", 0),
        ("grpc.server_handshake_timeout_ms", _ms(limits.handshake_s)),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.max_concurrent_streams", limits.streams),
        # The lower bound is where gRPC begins to refuse at random; together they are one.
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(limits.ping_interval_s)),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.keepalive_time_ms", _ms(6 * limits.ping_interval_s)),
        ("grpc.keepalive_timeout_ms", _ms(2 * limits.ping_interval_s)),
        ("grpc.max_connection_idle_ms", _ms(limits.idle_s)),
        ("grpc.max_connection_age_ms", _ms(limits.age_s)),
        ("grpc.max_connection_age_grace_ms", _ms(limits.body_s)),
    ]


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


@dataclass(frozen=True, slots=True)
class _Door:
    """The ``Export`` method of one signal."""

    acceptor: Acceptor
    signal: Signal
    limit_bytes: int
    access: Access
    body_s: float
    room: Room

    def handler(self) -> "grpc.GenericRpcHandler[bytes, bytes]":
        export = grpc.stream_unary_rpc_method_handler(self._export())
        return grpc.method_handlers_generic_handler(SERVICES[self.signal], {"Export": export})

    def _export(self) -> Export:
        stored = RESPONSES[self.signal]().SerializeToString()

        async def export(bodies: AsyncIterator[bytes], context: Context) -> bytes:
            if refusal := self._refusal(context):
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, refusal.value)
            try:
                body = await self._read(bodies)
                with self.room.held(len(body)):
                    await take(self.acceptor, self.signal, PROTOBUF, _encoding(body), body, self.limit_bytes)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the request came too slowly")
            except RequestError as error:
                await _abort(context, error)
            return stored

        return export

    def _refusal(self, context: Context) -> Refusal | None:
        if self.access.token is None:
            # No browser speaks gRPC, so that no page of another host comes in here.
            return None
        metadata = cast(Iterable[tuple[str, str | bytes]], context.invocation_metadata() or ())
        values = (value for key, value in metadata if key == "authorization")
        return self.access.refusal(None, (bearer_token(value) for value in values if isinstance(value, str)))

    async def _read(self, bodies: AsyncIterator[bytes]) -> bytes:
        async with asyncio.timeout(self.body_s):
            async for body in bodies:
                return body
        raise MalformedError("the call ended without a request")


def _encoding(message: bytes) -> str:
    """Tell how a message is compressed by how it begins, because gRPC keeps the header that says it.

    No protobuf begins like gzip, and none that has a known field of a request begins like zlib's deflate.
    """
    if message.startswith(b"\x1f\x8b"):
        return "gzip"
    return "deflate" if message.startswith(_ZLIB_HEADERS) else ""


async def _abort(context: Context, error: RequestError) -> None:
    if isinstance(error, RefusedError):
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error), _retry_metadata(error))
    too_large = isinstance(error, TooLargeError)
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if too_large else grpc.StatusCode.INVALID_ARGUMENT
    await context.abort(code, str(error))


def _retry_metadata(error: RefusedError) -> tuple[tuple[str, bytes], ...]:
    """Say when to come again, both where the specification has it and where the Python exporter looks."""
    return (
        ("google.rpc.retryinfo-bin", retry_info(error).SerializeToString()),
        ("grpc-status-details-bin", status(error).SerializeToString()),
    )
