"""Servers that misbehave on purpose, on real sockets of the loopback address."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

Handler = Callable[[ServerConnection], Awaitable[None]]
Quiet: dict[str, Any] = {"ping_interval": None, "compression": None, "proxy": None}
"""Options of a client that sends nothing by itself and asks no proxy of the machine."""


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    """Serve a well-behaved WebSocket server; yields its URL."""
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, compression=None) as server:
        yield f"ws://127.0.0.1:{port_of(server)}/"


@dataclass
class MuteServer:
    """Accepts every handshake and answers nothing after it: no pong, no close, no message."""

    url: str = ""
    pings: int = 0
    handshake: bool = True
    """Whether to answer the handshake at least."""
    abort: bool = False
    """Whether to reset the TCP connection at the first frame."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)


@asynccontextmanager
async def mute_server(*, handshake: bool = True, abort: bool = False) -> AsyncGenerator[MuteServer]:
    mute = MuteServer(handshake=handshake, abort=abort)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mute.writers.append(writer)
        protocol = ServerProtocol()
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                protocol.receive_data(data)
                events = protocol.events_received()
                if mute.handshake:
                    _answer_handshake(protocol, events, writer)
                mute.pings += sum(isinstance(e, Frame) and e.opcode is Opcode.PING for e in events)
                if mute.abort and any(isinstance(event, Frame) for event in events):
                    writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    mute.url = f"ws://127.0.0.1:{port_of(server)}/"
    try:
        yield mute
    finally:
        server.close()
        for writer in mute.writers:
            writer.transport.abort()
        await server.wait_closed()


def port_of(server: Any) -> int:
    [socket] = server.sockets
    return int(socket.getsockname()[1])


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until something is true; the test's own time-out ends what never comes true."""
    while not true():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0.002)


async def drained(connection: ClientConnection) -> Exception:
    """Receive until the connection ends, and return what told of it."""
    while True:
        try:
            await connection.recv()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the application would see
            return error


def _answer_handshake(protocol: ServerProtocol, events: list[Any], writer: asyncio.StreamWriter) -> None:
    for event in events:
        if isinstance(event, Request):
            protocol.send_response(protocol.accept(event))
            writer.write(b"".join(protocol.data_to_send()))
