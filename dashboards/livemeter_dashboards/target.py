"""What Grafana's ClickHouse plugin asks (grafana-clickhouse-datasource 4.20): SQL and its answer's shape.

The foundation SDK has no query type for the plugin. SQL is source: one file a query in ``queries``.
"""

from dataclasses import dataclass
from enum import Enum
from importlib import resources

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.20.0"
DATASOURCE = DataSourceRef(type_val=PLUGIN, uid="${datasource}")
"""The data source that the reader of a board picked, never one by its id."""


class Shape(Enum):
    """How the plugin reads an answer: its number for the back end, its word for Explore."""

    TIME_SERIES = (0, "timeseries")
    """A time, ascending; text columns, which become labels; a number."""
    TABLE = (1, "table")


@dataclass(frozen=True, slots=True)
class Query(Dataquery, Builder[Dataquery]):
    """One query of a panel or of a variable; it is complete, so that it builds itself."""

    sql: str
    shape: Shape
    ref_id: str = "A"

    def build(self) -> "Query":
        """Return itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the plugin's query model."""
        number, word = self.shape.value
        return {
            "datasource": DATASOURCE.to_json(),
            "editorType": "sql",
            "format": number,
            "pluginVersion": PLUGIN_VERSION,
            "queryType": word,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


def read_sql(name: str) -> str:
    """Return the SQL of ``queries/<name>.sql``, without the line break at its end."""
    file = resources.files("livemeter_dashboards").joinpath("queries", f"{name}.sql")
    return file.read_text(encoding="utf-8").rstrip()
