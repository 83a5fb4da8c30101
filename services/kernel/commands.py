"""Commands: a wish becomes events under the same `decide`, once for each command id, and is always answered."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.envelope import Accepted, Command, CommandEnvelope, Rejected
from schemas.strict import DecodeError, decode_struct
from services.kernel import crash, parked
from services.kernel.clock import Clock, monotonic
from services.kernel.decider import Decider
from services.kernel.metrics import Metrics
from services.kernel.outbox import Relay
from services.kernel.process import PolicyInForce, Process, Slot, handle
from services.kernel.store import TRANSIENT, Connection, StateNewer
from services.kernel.telemetry import Log, Logger

MAX_BYTES = 512 * 1024
TICK_WAIT_S = 1.0
"""How long a command waits for the loop to fire a tick of its story that came first."""
KEPT = timedelta(days=90)

Story = tuple[str, str, str]
Locate = Callable[[Connection, Command[Any]], Awaitable[Story | None]]
"""(shop, buyer, key) of the story a command speaks to; None: it names nothing that is known."""

Answered = Accepted | Rejected

_INSERT = """
INSERT INTO command (command_id, name, content, received) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_SEEN = "SELECT name, content, answer FROM command WHERE command_id = $1"
_ANSWER = "UPDATE command SET answer = $2 WHERE command_id = $1"
_EXPIRE = "DELETE FROM command WHERE received < $1"

UNAVAILABLE = Rejected(
    code="unavailable",
    message="The service cannot reach its database now; send the same command again.",
    message_zh="服务暂时不可用,请稍后用同一命令重试。",
)
INTERNAL_ERROR = Rejected(
    code="internal_error",
    message="The command broke inside the service; nothing was changed. It was logged for its developers.",
    message_zh="命令处理出错,未做任何改动,已记录。",
)
COMMAND_CONFLICT = Rejected(
    code="command_conflict",
    message="This command_id was used for another command; take a new one.",
    message_zh="该命令编号已用于其他命令,请使用新的编号。",
    field="command_id",
)
UNKNOWN_ID = Rejected(
    code="unknown_id",
    message="Nothing of that id is known here.",
    message_zh="未找到对应记录。",
)
LANE_BLOCKED = Rejected(
    code="lane_blocked",
    message="A message of this buyer is parked and must be dealt with first (carebus parked).",
    message_zh="该买家有一条消息处理失败待人工处理,请先处理后重试。",
)

_decode_answer = msgspec.json.Decoder(Accepted | Rejected).decode


class CommandSpec(Struct, frozen=True, kw_only=True):
    """A command of a service: its name on the bus, its data, the process that decides it, and how to find the story."""

    name: str
    data: type[Any]
    process: str
    locate: Locate


class Refusal(Exception):
    """An answer that is not kept: the same command may come again and fare better."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.code)
        self.rejected = rejected


class _TickFirst(Exception):
    """The story has a tick before this command's reception; the loop is to fire it first."""


class Commands:
    """The commands of one service. Every replica takes them; the row lock of the story puts them in order."""

    def __init__(
        self, pool: asyncpg.Pool, decider: Decider, relay: Relay, clock: Clock, log: Logger, metrics: Metrics
    ) -> None:
        self._pool = pool
        self._decider = decider
        self._relay = relay
        self._clock = clock
        self._log = log
        self._metrics = metrics

    async def answer(self, spec: CommandSpec, payload: bytes) -> bytes:
        """Carry a command out; the answer as JSON. Raises nothing: an exception becomes a Rejected."""
        started = monotonic()
        command: Command[Any] | None = None
        try:
            command = decode_command(spec, payload)
            result = await self._carry_out(spec, command)
        except Refusal as refused:
            result = refused.rejected
        except (StateNewer, *TRANSIENT) as error:
            result = UNAVAILABLE
            self._failed(spec, command, error)
        except Exception as error:
            result = INTERNAL_ERROR
            self._failed(spec, command, error)
        if isinstance(result, Rejected) and command is not None:
            result = replace(result, command_id=command.command_id)
        code = result.code if isinstance(result, Rejected) else "accepted"
        self._metrics.command(spec.name, code, monotonic() - started)
        if command is not None:
            event = Log.COMMAND_CONFLICT if code == "command_conflict" else Log.COMMAND_ANSWERED
            said = {} if event is Log.COMMAND_CONFLICT else {"result": code, "seconds": monotonic() - started}
            self._log.say(
                event,
                endpoint=spec.name,
                command=command.command_id,
                shop=command.shop,
                correlation=command.correlation_id or command.command_id,
                **said,
            )
        return msgspec.json.encode(result)

    async def expire(self) -> None:
        """Forget the commands of more than 90 days ago."""
        await self._pool.execute(_EXPIRE, self._clock.now() - KEPT)

    async def _carry_out(self, spec: CommandSpec, command: Command[Any]) -> Answered:
        received = self._clock.now()
        patience = monotonic() + TICK_WAIT_S
        while True:
            try:
                return await self._transact(spec, command, received, wait=monotonic() < patience)
            except _TickFirst:
                await asyncio.sleep(0.02)

    async def _transact(self, spec: CommandSpec, command: Command[Any], received: datetime, *, wait: bool) -> Answered:
        content = content_of(command)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_INSERT, command.command_id, spec.name, content, received):
                return await self._again(connection, spec, command, content)
            await self._decider.policies.guard(connection)
            story = await spec.locate(connection, command)
            if story is None:
                result: Answered = UNKNOWN_ID
            else:
                result = await self._decide(connection, spec, command, story, received, wait)
            await connection.execute(_ANSWER, command.command_id, msgspec.json.encode(result))
            crash.point("command_before_commit")
        crash.point("command_after_commit")
        self._relay.wake.set()
        return result

    async def _again(
        self, connection: Connection, spec: CommandSpec, command: Command[Any], content: bytes
    ) -> Answered:
        """A command id that was seen before: its first answer, or a conflict where the content is another."""
        row = await connection.fetchrow(_SEEN, command.command_id)
        assert row is not None
        if (row["name"], row["content"]) != (spec.name, content):
            raise Refusal(COMMAND_CONFLICT)
        return _decode_answer(row["answer"])

    async def _decide(
        self,
        connection: Connection,
        spec: CommandSpec,
        command: Command[Any],
        story: Story,
        received: datetime,
        wait: bool,
    ) -> Answered:
        process = self._decider.processes[spec.process]
        key = (process.name, *story)
        row = (await self._decider.lock(connection, {key}))[key]
        if await parked.is_blocked(connection, *story):
            raise Refusal(LANE_BLOCKED)
        if wait and row.slot.fire is not None and row.slot.fire < received:
            raise _TickFirst
        return await self._apply(connection, process, row.sound(), row.partition, command, received)

    async def _apply(
        self,
        connection: Connection,
        process: Process,
        slot: Slot,
        partition: int,
        command: Command[Any],
        received: datetime,
    ) -> Answered:
        policy: PolicyInForce = self._decider.policies.of(slot.shop)
        outcome = handle(process, slot, command, received, policy)
        if outcome.rejected is not None:
            return replace(outcome.rejected, command_id=command.command_id)
        await self._decider.keep(connection, process, partition, outcome)
        return Accepted(command_id=command.command_id, events=tuple(event.id for event in outcome.events))

    def _failed(self, spec: CommandSpec, command: Command[Any] | None, error: Exception) -> None:
        self._log.say(
            Log.COMMAND_FAILED,
            endpoint=spec.name,
            command=command.command_id if command else None,
            shop=command.shop if command else None,
            error=error,
        )


def decode_command(spec: CommandSpec, payload: bytes) -> Command[Any]:
    """The command in these bytes. Raises Refusal with the path of the field that is wrong."""
    if len(payload) > MAX_BYTES:
        raise _invalid("", f"a command has at most {MAX_BYTES} bytes, this one has {len(payload)}")
    try:
        envelope = decode_struct(CommandEnvelope, payload, "command")
    except DecodeError as error:
        raise _invalid(error.field, str(error)) from None
    try:
        data: Any = decode_struct(spec.data, envelope.data, f"command {spec.name}")
    except DecodeError as error:
        raise _invalid(f"data.{error.field}".rstrip("."), str(error)) from None
    return Command(
        command_id=envelope.command_id,
        shop=envelope.shop,
        actor=envelope.actor,
        data=data,
        correlation_id=envelope.correlation_id,
    )


def content_of(command: Command[Any]) -> bytes:
    """What makes a command this one and no other: all of it but the correlation id."""
    return msgspec.json.encode(replace(command, correlation_id=""))


def _invalid(field: str, message: str) -> Refusal:
    return Refusal(
        Rejected(
            code="invalid_field",
            message=message,
            message_zh=f"字段 {field or '(命令)'} 无效。",
            field=field,
        )
    )
