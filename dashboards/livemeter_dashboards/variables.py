"""The variables that every board has: which data source, which applications, which models."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh

from livemeter_dashboards.target import DATASOURCE, PLUGIN, Query, Shape, read_sql


def datasource_variable() -> DatasourceVariable:
    """Return the choice of a ClickHouse data source."""
    return DatasourceVariable("datasource").label("Data source").type(PLUGIN)


def choice_variable(name: str, label: str) -> QueryVariable:
    """Return a choice of any number of the values that ``queries/variables/<name>.sql`` answers."""
    query = Query(read_sql(f"variables/{name}"), Shape.TABLE, ref_id=name)
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query.to_json())
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
