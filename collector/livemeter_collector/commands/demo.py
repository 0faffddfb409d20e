"""``livemeter demo``: scripted Gemini Live sessions, run for real on this machine, priced and explained."""

import argparse
import importlib.util
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from livemeter.cli.errors import CommandError
from livemeter_collector.commands.options import add_form
from livemeter_collector.commands.printing import show
from livemeter_collector.commands.sessions import prefixes
from livemeter_collector.demo.run import DemoError, Step, run_demo
from livemeter_collector.query import questions
from livemeter_collector.query.questions import rows_of
from livemeter_collector.query.reader import Reader
from livemeter_collector.show.output import Form
from livemeter_collector.show.picture import as_svg
from livemeter_collector.show.report import each_close_table, session_costs_table, sessions_table
from livemeter_collector.store.contract import StoreError, Table

if importlib.util.find_spec("google.genai") is None:
    # The application that needs it is another process; this one says so before anything is started.
    raise ModuleNotFoundError("No module named 'google.genai'", name="google.genai")

SHOWN_SESSION = "conversation"
"""The session whose tokens and cost are shown by direction and modality."""

Shown = tuple[list[RenderableType], dict[str, object], Table]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "--keep",
        metavar="DIR",
        type=Path,
        help="leave the data in this directory, for livemeter sessions --data DIR and the other commands",
    )
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the output as a picture as well")
    add_form(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the scripted sessions and show what was learnt of them."""
    with ExitStack() as stack:
        data_dir = arguments.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="livemeter-"))
        )
        try:
            with _Progress() as progress, run_demo(data_dir, progress.step) as reader:
                progress.stop()
                renderables, answer, table = _learnt(reader)
        except (DemoError, StoreError) as error:
            raise CommandError(f"the demo failed: {error}") from error
        show(arguments.form, renderables, answer, table)
        if arguments.svg:
            arguments.svg.write_text(as_svg(renderables, title="make demo"), "utf-8")
    if arguments.keep and arguments.form is Form.TABLE:
        sys.stdout.write(f"\nThe data is kept: livemeter sessions --data {arguments.keep}\n")
    return 0


def _learnt(reader: Reader) -> Shown:
    sessions = questions.sessions(reader, questions.Filters())
    rows = rows_of(sessions)
    short = prefixes(reader, rows)
    one = questions.session(reader, SHOWN_SESSION)
    closes = questions.each_close(reader)
    to_explain = [row for row in rows_of(closes) if not row["ended_well"]]
    in_order = len(closes.rows) - len(to_explain)
    answer: dict[str, object] = {
        "sessions": rows,
        "session_costs": rows_of(one.costs),
        "closes": rows_of(closes),
    }
    renderables: list[RenderableType] = [
        *_section("Sessions", sessions_table(rows, short).table),
        *_section(
            f"Where the money of session {SHOWN_SESSION!r} went",
            session_costs_table(rows_of(one.costs)).table,
        ),
        *_section(
            f"Why connections closed ({in_order} more ended in order)",
            each_close_table(to_explain, short).table,
        ),
    ]
    return renderables, answer, sessions


def _section(title: str, table: RenderableType) -> list[RenderableType]:
    return [Padding(Text(title, style="bold"), (1, 0, 0, 0)), table]


class _Progress:
    """A bar on a terminal, plain lines elsewhere; on stderr, so that stdout holds the answer alone."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._is_terminal = sys.stderr.isatty()
        self._task = self._bar.add_task("starting the collector", total=None)

    def __enter__(self) -> "_Progress":
        if self._is_terminal:
            self._bar.start()
        else:
            sys.stderr.write("starting the collector\n")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self, step: Step) -> None:
        """Show one step done."""
        if self._is_terminal:
            self._bar.update(self._task, completed=step.done, total=step.total, description=step.what)
        else:
            sys.stderr.write(f"[{step.done}/{step.total}] {step.what}\n")

    def stop(self) -> None:
        """Take the bar away."""
        if self._is_terminal:
            self._bar.stop()
