"""`carebus ...`: one line says what was wrong, and the exit status is not 0."""

from typing import Any

import click
import typer
from typer.core import TyperGroup

from services.cli import (
    bridge_simulator,
    contract,
    demo,
    doctor,
    import_chats,
    imports,
    keys,
    live,
    parked,
    publish,
    run,
    show,
    tail,
    up,
    verify,
)

imports.app.command()(import_chats.chats)

COMMANDS: dict[str, dict[str, tuple[Any, str]]] = {
    "Start it": {
        "up": (up.up, "Start NATS, PostgreSQL and all services here, until Ctrl-C."),
        "run": (run.run, "Run one service, as a supervisor or a container does."),
        "keys": (keys.keys, "Make the files that contact data is sealed and digested with."),
        "doctor": (doctor.doctor, "Look whether all is well, and say what mends what is not."),
        "demo": (demo.demo, "Play a made-up day through a CareBus of its own and show it."),
    },
    "Work with it": {
        "publish": (publish.publish, "Put a recorded stream of facts and commands on the bus."),
        "import": (imports.app, "Take in an export of orders or chats, files of another system."),
        "tail": (tail.tail, "Watch what happens, by shop, buyer or type of event."),
        "show": (show.app, "Look up an order, a buyer's chat, or how fast agents answer."),
        "live": (live.app, "Switch the sending of a shop's care messages on or off."),
        "parked": (parked.app, "List, retry or give up messages that could not be handled."),
    },
    "Check it": {
        "verify": (verify.verify, "Check that every stored state follows from the log."),
        "contract": (contract.contract, "Write the JSON Schemas of all events anew, for developers."),
        "simulate": (bridge_simulator.bridge_simulator, "Play a platform that does what it is asked to do."),
    },
}
"""What a newcomer reads: every command in one line, in the order in which they are met."""


class _InOrder(TyperGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in COMMANDS.values() for name in commands]


app = typer.Typer(
    cls=_InOrder,
    help="CareBus: the care desk of online shops on an event log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for panel, commands in COMMANDS.items():
    for name, (found, line) in commands.items():
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, short_help=line, rich_help_panel=panel)
        else:
            app.command(name=name, short_help=line, rich_help_panel=panel)(found)
