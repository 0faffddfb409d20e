"""The reference page of the settings is made from them, so that it cannot say anything else."""

import ast
import dataclasses
import inspect
import os
import textwrap
from pathlib import Path

from livemeter import settings
from livemeter.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

HEAD = """\
# Settings

What an instrumented application can set. Each is an environment variable and a field of
`livemeter.settings.Settings`, which `livemeter.instrument(settings=...)` takes; what is given in code wins.
An empty variable counts as unset. A value that cannot be understood is an error of one line that names the
variable.

This page is made from `instrumentation/livemeter/settings.py`; a test holds the two together.
"""

FOOT = """\
## Variables of OpenTelemetry's SDK

`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say which application it is (the column `app`),
`OTEL_EXPORTER_OTLP_CERTIFICATE` and its relatives with whom it speaks TLS, and `OTEL_SDK_DISABLED=true`
exports nothing. How the application samples, batches and cuts (`OTEL_TRACES_SAMPLER`, `OTEL_BLRP_*`,
`OTEL_BSP_*`, `OTEL_*_LIMIT`) is its own: it holds for providers that are given to `livemeter.instrument`,
not for Livemeter's.
"""


def rendered() -> str:
    parts = [HEAD]
    docstrings = docstrings_of(Settings)
    for setting in dataclasses.fields(Settings):
        variables = setting.metadata["environment"]
        names = [f"`{name}`" for name in variables]
        others = f" (else {', '.join(names[1:])})" if names[1:] else ""
        title = f"{names[0]}{others}" if names else f"`Settings.{setting.name}`"
        paragraphs = docstrings[setting.name].replace("``", "`")
        facts = f"Field `{setting.name}`, default {default_of(setting)}."
        parts.append(f"## {title}\n\n{facts}\n\n{wrapped(paragraphs)}\n")
    return "\n".join([*parts, FOOT])


def docstrings_of(described: type) -> dict[str, str]:
    """The string below each field, as one line. A field without one is an error."""
    [class_] = ast.parse(textwrap.dedent(inspect.getsource(described))).body
    assert isinstance(class_, ast.ClassDef)
    docstrings: dict[str, str] = {}
    for declaration, docstring in zip(class_.body, class_.body[1:], strict=False):
        if isinstance(declaration, ast.AnnAssign):
            assert isinstance(declaration.target, ast.Name)
            assert isinstance(docstring, ast.Expr)
            assert isinstance(docstring.value, ast.Constant)
            docstrings[declaration.target.id] = " ".join(str(docstring.value.value).split())
    return docstrings


def default_of(setting: "dataclasses.Field[object]") -> str:
    default = (
        setting.default_factory() if setting.default_factory is not dataclasses.MISSING else setting.default
    )
    if default in (None, "", {}):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def wrapped(text: str) -> str:
    return textwrap.fill(text, 108, break_long_words=False, break_on_hyphens=False)


def test_the_page_says_what_the_settings_say() -> None:
    """Regenerate with LIVEMETER_REGENERATE=1 and read the difference."""
    if os.environ.get("LIVEMETER_REGENERATE") == "1":
        PAGE.write_text(rendered(), "utf-8")
    assert rendered() == PAGE.read_text("utf-8")


def test_the_page_names_every_variable_that_the_module_reads() -> None:
    page = PAGE.read_text("utf-8")
    strings = {
        str(node.value)
        for node in ast.walk(ast.parse(inspect.getsource(settings)))
        if isinstance(node, ast.Constant)
    }
    variables = {
        text
        for text in strings
        if text.startswith(("LIVEMETER_", "OTEL_")) and text.isupper() and " " not in text
    }
    assert len(variables) >= len(dataclasses.fields(Settings)) - 1
    assert {name for name in variables if f"`{name}`" not in page} == set()


def test_defaults_in_the_prose_are_the_defaults() -> None:
    """Numbers are told again in words of their own, with a comma for thousands."""
    for setting in dataclasses.fields(Settings):
        if isinstance(setting.default, int) and not isinstance(setting.default, bool):
            told = docstrings_of(Settings)[setting.name]
            assert f"{setting.default:,}" in told or str(setting.default) in told
