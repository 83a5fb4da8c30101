"""The bar of a command that takes long: on a terminal, and nothing elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """To be called once for each thing done. now: what is said before the bar from then on, where it is given."""

    def __call__(self, now: str = "") -> None: ...


@contextmanager
def progress(total: int, what: str, *, shown: bool = True) -> Iterator[Advance]:
    """A bar for `total` things, with `what` said before it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not shown or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)

        def advance(now: str = "") -> None:
            bar.update(task, advance=1, description=now or None)

        yield advance
