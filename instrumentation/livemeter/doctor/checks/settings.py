"""Whether the environment says what its author meant."""

from collections.abc import Iterator

from livemeter.doctor.facts import Check, Misspelt, Status, Variable, Variables

GROUP = "settings"


def check_settings(variables: Variables) -> Iterator[Check]:
    """Yield a line for the settings as a whole and one for each variable that is set."""
    fatal = {variable.complaint for variable in variables.variables if variable.is_fatal}
    if not variables.variables and not variables.misspelt:
        yield Check(GROUP, "variables", Status.OK, "none is set: everything is as by default")
    for variable in variables.variables:
        yield _variable(variable)
    for misspelt in variables.misspelt:
        yield _misspelt(misspelt)
    if variables.error and variables.error not in fatal:
        to_do = "until then import livemeter.auto logs this and observes nothing"
        yield Check(GROUP, "settings", Status.FAIL, variables.error, to_do)


def _variable(variable: Variable) -> Check:
    if not variable.complaint:
        return Check(GROUP, variable.name, Status.OK, variable.shown)
    status = Status.FAIL if variable.is_fatal else Status.WARN
    says = ": ".join(part for part in (variable.shown, variable.complaint) if part)
    return Check(GROUP, variable.name, status, says, variable.to_do)


def _misspelt(misspelt: Misspelt) -> Check:
    to_do = f"rename it to {misspelt.closest}" if misspelt.closest else f"unset {misspelt.name}"
    return Check(GROUP, misspelt.name, Status.WARN, "no setting has this name", to_do)
