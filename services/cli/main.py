"""`carebus ...`: one line says what was wrong, and the exit status is not 0."""

import typer

from services.cli import contract, demo, doctor, imports, live, parked, publish, run, show, tail, up, verify

app = typer.Typer(
    help="CareBus: the care desk of online shops on an event log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(name="contract")(contract.contract)
app.command(name="verify")(verify.verify)
app.command(name="up")(up.up)
app.command(name="run")(run.run)
app.command(name="doctor")(doctor.doctor)
app.command(name="publish")(publish.publish)
app.command(name="demo")(demo.demo)
app.command(name="tail")(tail.tail)
app.add_typer(imports.app, name="import")
app.add_typer(live.app, name="live")
app.add_typer(parked.app, name="parked")
app.add_typer(show.app, name="show")


@app.callback()
def root() -> None:
    """Without a callback typer would make the only command the program itself."""


if __name__ == "__main__":
    app()
