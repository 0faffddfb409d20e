"""Closes that the client itself causes, made with a real socket."""

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from livemeter.diagnosis import CloseEvidence, diagnose_close


class LeavingError(Exception):
    """Leaves the connection block the way an application's bug or a cancellation does."""


async def send_two_mebibytes(connection: ServerConnection) -> None:
    await connection.send(b"x" * 2**21)
    await connection.wait_closed()


async def wait_for_close(connection: ServerConnection) -> None:
    await connection.wait_closed()


def evidence_of(connection: ClientConnection) -> CloseEvidence:
    """Read the first close frame, whichever side sent it."""
    protocol = connection.protocol
    server_first = protocol.close_rcvd_then_sent is True
    close = protocol.close_rcvd if server_first else protocol.close_sent
    assert close is not None
    return CloseEvidence(close.code, close.reason, closed_by="server" if server_first else "client")


async def test_leaving_by_an_exception_is_known_as_the_clients_own_1011() -> None:
    async with serve(wait_for_close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = await connect(f"ws://127.0.0.1:{port}")
        with pytest.raises(LeavingError):
            async with connection:
                raise LeavingError
    evidence = evidence_of(connection)
    assert evidence.code == 1011
    diagnosis = diagnose_close(evidence)
    assert diagnosis is not None
    assert diagnosis.id == "client-left-with-exception"


async def test_a_frame_over_the_clients_limit_is_known_as_the_clients_own_1009() -> None:
    async with serve(send_two_mebibytes, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as connection:
            with pytest.raises(ConnectionClosed):
                await connection.recv()
    evidence = evidence_of(connection)
    assert evidence.code == 1009
    diagnosis = diagnose_close(evidence)
    assert diagnosis is not None
    assert diagnosis.id == "frame-too-big-for-client"


async def test_an_ordinary_exit_is_silent() -> None:
    async with serve(wait_for_close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as connection:
            pass
    assert diagnose_close(evidence_of(connection)) is None
