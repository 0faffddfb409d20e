"""One accepted WebSocket: frames in and out, recorded, and how it ended.

The only module besides the server that touches a socket; it knows nothing of scripts.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from livemeter.testing.client_frames import parse_client_message
from livemeter.testing.record import ClientFrame, Connection, ServerFrame
from livemeter.testing.server_frames import Message, close_reason, encode
from livemeter.testing.shapes import is_table

_NOT_KEPT: Message = {}


class Link:
    """Reads for as long as the connection lives, so that the client never waits for a script."""

    def __init__(
        self, socket: ServerConnection, record: Connection, *, text: bool, keep_messages: bool
    ) -> None:
        self.record = record
        self._socket = socket
        self._text = text
        self._keep_messages = keep_messages
        self._untaken: deque[ClientFrame] = deque()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        record.compressed = bool(socket.protocol.extensions)

    async def read(self) -> None:
        """Read until the connection ends, and note how it ended."""
        try:
            with suppress(ConnectionClosed):  # The record tells how.
                async for raw in self._socket:
                    self._untaken.append(self._recorded(raw))
                    self._arrived.set()
        finally:
            self._note_end()
            self._ended.set()
            self._arrived.set()

    async def peek(self) -> ClientFrame | None:
        """Wait for the oldest message not taken yet; ``None`` when the connection ended without one."""
        while not self._untaken and not self._ended.is_set():
            self._arrived.clear()
            await self._arrived.wait()
        return self._untaken[0] if self._untaken else None

    def take(self) -> None:
        """Take the message that ``peek`` returned."""
        self._untaken.popleft()

    async def send(self, message: Message) -> bool:
        """Send a message; ``False`` when the connection has ended."""
        text = encode(message)
        payload = text.encode()
        try:
            await self._socket.send(text if self._text else payload)
        except ConnectionClosed:
            return False
        kept = message if self._keep_messages else _NOT_KEPT
        self.record.sent.append(ServerFrame(tuple(message), kept, len(payload), time.monotonic()))
        return True

    async def pause(self, seconds: float) -> bool:
        """Wait, or until the connection ends; ``False`` when it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return not self._ended.is_set()

    async def wait_ended(self) -> None:
        """Wait until the connection has ended and the record says how."""
        await self._ended.wait()

    async def close(self, code: int, reason: str) -> None:
        """Close with a close frame; 1005 sends one without a code. The record says who was first."""
        if code != 1005:
            await self._socket.close(code, close_reason(reason))
            return
        with suppress(ConnectionClosed):
            async with self._socket.send_context():
                self._socket.protocol.send_close()

    async def abort(self) -> None:
        """Drop the TCP connection without a close frame."""
        self._socket.transport.abort()
        await self._socket.wait_closed()

    def _recorded(self, raw: str | bytes) -> ClientFrame:
        now = time.monotonic()
        message = parse_client_message(raw)
        content, kept_raw = (message.content, raw) if self._keep_messages else (_NOT_KEPT, b"")
        payload_bytes = len(raw.encode() if isinstance(raw, str) else raw)
        frame = ClientFrame(message.kinds, content, kept_raw, payload_bytes, message.audio_ms, now)
        self.record.received.append(frame)
        setup: object = message.content.get("setup")
        if is_table(setup) and not self.record.setup:
            self.record.setup = setup
        return frame

    def _note_end(self) -> None:
        protocol, record = self._socket.protocol, self.record
        client_first = protocol.close_rcvd_then_sent is True or protocol.close_sent is None
        close = protocol.close_rcvd if client_first else protocol.close_sent
        if close is None:
            record.closed_by, record.close_code = "none", 1006
            return
        record.closed_by = "client" if client_first else "server"
        record.close_code, record.close_reason = close.code, close.reason
