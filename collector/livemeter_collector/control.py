"""What only the collector's own user may ask of it: a socket in the data directory, with mode 0600.

The collector alone holds the directory, so it makes the backup; whoever asks writes it, as the user that they
are. The answer is one .tar, whose last file is the manifest: an answer that breaks off has none.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from livemeter_collector.control_forget import PATH as FORGET_PATH
from livemeter_collector.control_forget import ForgetEndpoint
from livemeter_collector.control_rebuild import PATH as REBUILD_PATH
from livemeter_collector.control_rebuild import RebuildEndpoint
from livemeter_collector.listen import HttpServer
from livemeter_collector.store.archive import BackupError, entries_of_tar, tar_pieces
from livemeter_collector.store.backup import WORK_DIRECTORY, Staged, abort_backup, staged_backup
from livemeter_collector.store.contract import Store, StoreError

SOCKET = "control.sock"
"""Within the data directory."""

_BYTES = "Livemeter-Backup-Bytes"
_TYPE = "application/x-tar"
# What the address of a Unix socket may be long on every system.
_LONGEST_ADDRESS = 100
_ABORT_EVERY_S = 0.1


def bind_control(data_dir: Path) -> socket.socket:
    """Listen on the data directory's socket; what a crash left of one, or of a backup, is removed.

    Whoever calls holds the directory's lock.

    Raises:
        OSError: the directory's file system has no sockets, or its name is too long for one.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # On Linux the mode is the file's from its first moment.
        os.fchmod(listener.fileno(), 0o600)
        withdraw_control(data_dir)
        shutil.rmtree(data_dir / WORK_DIRECTORY, ignore_errors=True)
        with _address(data_dir) as address:
            listener.bind(address)
        (data_dir / SOCKET).chmod(0o600)
        listener.listen(16)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def withdraw_control(data_dir: Path) -> None:
    """Remove the socket; harmless if there is none."""
    (data_dir / SOCKET).unlink(missing_ok=True)


class ControlServer(HttpServer):
    """The server on the data directory's socket; when it is told to end, so is a backup under way."""

    def __init__(
        self, store: Store, data_dir: Path, graceful_s: int = 4, routes: Sequence[Route] = ()
    ) -> None:
        """Listen; whoever calls holds the directory's lock. Raises OSError as ``bind_control`` does."""
        self._stopping = asyncio.Event()
        app = create_control_app(store, data_dir, self._stopping, routes)
        super().__init__(app, bind_control(data_dir), graceful_s)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Break a backup off, and end."""
        self._stopping.set()
        await super().shutdown(sockets)


def create_control_app(
    store: Store, data_dir: Path, stopping: asyncio.Event, routes: Sequence[Route] = ()
) -> Starlette:
    """Build the application behind the socket: ``POST /backup`` answers a backup, one at a time.

    ``POST /forget`` and ``POST /rebuild``, which are ``ForgetEndpoint`` and ``RebuildEndpoint``, and other
    ``routes`` stand beside it.

    200 with a .tar; 409 while another backup runs; 500 with one line if there can be none; 503 when the event
    is set before there is one.
    """
    backup = Route("/backup", _BackupEndpoint(store, data_dir, stopping), methods=["POST"])
    forget = Route(FORGET_PATH, ForgetEndpoint(store, data_dir, stopping), methods=["POST"])
    rebuild = Route(REBUILD_PATH, RebuildEndpoint(store, stopping), methods=["POST"])
    return Starlette(routes=[backup, forget, rebuild, *routes])


class _BackupEndpoint:
    """An ASGI app with the lock that lets one backup run at a time."""

    def __init__(self, store: Store, data_dir: Path, stopping: asyncio.Event) -> None:
        self._store = store
        self._data_dir = data_dir
        self._stopping = stopping
        self._running = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._running.locked():
            answer = PlainTextResponse("another backup is running: try again when it has ended\n", 409)
            await answer(scope, receive, send)
            return
        async with self._running:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the backup or why there is none; break it off when the collector is told to end."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        work = asyncio.ensure_future(self._send_backup(scope, receive, sending))
        told = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if work.done():
            work.result()
            return
        work.cancel()
        await asyncio.wait({work}, timeout=_ABORT_EVERY_S)
        if begun:
            # Whole for HTTP, and without a manifest for whoever reads it.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await PlainTextResponse("the collector is stopping\n", 503)(scope, receive, send)
        # The engine may take longer to let go than the server waits.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({work})

    async def _send_backup(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with _in_thread(self._store, staged_backup(self._store, self._data_dir)) as made:
                response = StreamingResponse(
                    tar_pieces(made.entries), headers={_BYTES: str(made.bytes)}, media_type=_TYPE
                )
                await response(scope, receive, send)
        except StoreError as error:
            # Only before the first byte: from then on nothing is asked of the store.
            answer = PlainTextResponse(f"{' '.join(str(error).split())}\n", 500)
            await answer(scope, receive, send)
        except ClientDisconnect:
            return


def connect(data_dir: Path) -> "Connection | None":
    """Connect to the collector that has the directory; None if none listens.

    Raises:
        BackupError: another user's collector has it.
    """
    connection = Connection(data_dir)
    try:
        connection.connect()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise BackupError(f"cannot ask the collector of {data_dir}: {error.strerror}") from error
    return connection


@contextlib.contextmanager
def ask_for_backup(collector: "Connection") -> Generator[Staged]:
    """Ask for a backup, and close the connection in the end.

    Raises:
        BackupError: there can be none; or, while entries are read, the collector went away.
    """
    with contextlib.closing(collector), _broken():
        collector.request("POST", "/backup")
        answer = collector.getresponse()
        if answer.status != 200:
            raise BackupError(answer.read().decode(errors="replace").strip())
        yield Staged(int(answer.headers[_BYTES]), entries_of_tar(answer))


class Connection(http.client.HTTPConnection):
    """HTTP over the data directory's socket; waits as long as a backup takes."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__("localhost")
        self._data_dir = data_dir

    def connect(self) -> None:
        """Connect; raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(self._data_dir) as address:
            self.sock.connect(address)


@contextlib.contextmanager
def _broken() -> Generator[None]:
    try:
        yield
    except (http.client.HTTPException, ConnectionError) as error:
        raise BackupError("the collector ended before the backup was complete") from error


@contextlib.contextmanager
def _address(data_dir: Path) -> Generator[str]:
    """Name the socket; where its path is too long for an address, by way of the open directory."""
    path = str(data_dir / SOCKET)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def _in_thread(store: Store, backup: AbstractContextManager[Staged]) -> AsyncGenerator[Staged]:
    """Enter and leave in threads; whoever gives up while the engine still works ends that work."""
    entering = asyncio.ensure_future(asyncio.to_thread(backup.__enter__))
    try:
        made = await asyncio.shield(entering)
    except asyncio.CancelledError:
        while not entering.done():
            # Again and again: it may not have come to the engine yet.
            await asyncio.to_thread(abort_backup, store)
            await asyncio.wait({entering}, timeout=_ABORT_EVERY_S)
        with contextlib.suppress(StoreError):
            await entering
            await asyncio.to_thread(backup.__exit__, None, None, None)
        raise
    try:
        yield made
    finally:
        await asyncio.to_thread(backup.__exit__, None, None, None)
