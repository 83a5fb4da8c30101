"""The service as a whole: what it is made of."""

from schemas.commands.care_notifier import PauseSending, ResumeSending, SwitchLive
from schemas.envelope import Command
from schemas.subjects import NO_BUYER
from services.care_notifier import contact, journey, sending
from services.care_notifier.sender import sender
from services.care_notifier.texts import templates
from services.kernel.commands import CommandSpec, Story
from services.kernel.process import process_of
from services.kernel.service import Service
from services.kernel.store import Connection

templates()  # a text that would break at a buyer breaks here, where the service starts


async def _of_the_shop(connection: Connection, command: Command[SwitchLive | PauseSending | ResumeSending]) -> Story:
    return command.shop, NO_BUYER, command.shop


SERVICE = Service(
    name="care_notifier",
    processes=[process_of(journey), process_of(contact), process_of(sending)],
    commands=[
        CommandSpec(name=command.NAME, data=command, process="sending", locate=_of_the_shop)
        for command in (SwitchLive, PauseSending, ResumeSending)
    ],
    effects=[sender()],
)
