"""Opening a store: the embedded engine on a directory, or a server behind a URL.

The engines are imported here and only when asked for: chDB alone is half a gigabyte.
"""

from pathlib import Path

from livemeter_collector.store.contract import Store, StoreError
from livemeter_collector.store.lock import DirectoryLock

ENGINE_DIRECTORY = "clickhouse"
"""Within the data directory."""


def open_embedded(data_dir: Path, read_only: bool = False) -> Store:
    """Open the engine on a data directory, which is this process's alone until the store is closed.

    Args:
        data_dir: made if missing, unless only to be read.
        read_only: nothing can be written through this store.

    Raises:
        DirectoryHeldError: another process holds the directory.
        StoreError: it cannot be used or, to be read, has no data; or the engine is not installed.
    """
    engine_dir = data_dir / ENGINE_DIRECTORY
    if read_only and not engine_dir.is_dir():
        raise StoreError(
            f"no livemeter data in {data_dir}: run `livemeter up` first, or name another --data directory"
        )
    lock = DirectoryLock(data_dir)
    try:
        # Half a gigabyte of engine, for those who use it.
        from livemeter_collector.store.embedded import EmbeddedStore  # noqa: PLC0415

        return EmbeddedStore(engine_dir, read_only=read_only, on_close=lock.release)
    except BaseException as error:
        lock.release()
        if isinstance(error, ModuleNotFoundError) and error.name in {"chdb", "clickhouse_connect"}:
            raise StoreError(
                "the embedded engine is missing: pip install 'livemeter[embedded]', or use --clickhouse URL"
            ) from error
        raise


def open_server(url: str) -> Store:
    """Connect to a ClickHouse server, or to a running collector's SQL endpoint.

    Raises:
        StoreUnavailableError: nothing answers at the address.
        StoreError: the address is none, or the server refuses us.
    """
    # Only the server's users need the client library.
    from livemeter_collector.store.server import ServerStore  # noqa: PLC0415

    return ServerStore(url)
