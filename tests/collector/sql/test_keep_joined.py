"""The collector keeps sessions joined across processes, which the embedded engine does not by itself."""

from livemeter_collector.store.contract import Parameters, Store, Table
from livemeter_collector.store.sessions import join_sessions


class Counted:
    """A store that counts the commands it is given."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commands: list[str] = []

    def query(self, sql: str, parameters: Parameters | None = None) -> Table:
        return self._store.query(sql, parameters)

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        self.commands.append(sql)
        self._store.command(sql, parameters)


def test_the_dictionary_is_read_again_only_when_something_came(store: Store) -> None:
    counted = Counted(store)

    known = join_sessions(counted)  # type: ignore[arg-type]
    assert join_sessions(counted, known) == known  # type: ignore[arg-type]

    assert counted.commands == ["SYSTEM RELOAD DICTIONARY livemeter.session_root"]
