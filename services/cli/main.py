"""`carebus ...`: one line says what was wrong, and the exit status is not 0."""

import typer

from services.cli import contract, parked, verify

app = typer.Typer(
    help="CareBus: the care desk of online shops on an event log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(name="contract")(contract.contract)
app.command(name="verify")(verify.verify)
app.add_typer(parked.app, name="parked")


@app.callback()
def root() -> None:
    """Without a callback typer would make the only command the program itself."""


if __name__ == "__main__":
    app()
