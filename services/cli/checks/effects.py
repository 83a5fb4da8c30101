"""Each effect (`services.kernel.effects`): does it keep up with the events that it acts upon?"""

from nats.aio.client import Client

from services.cli import registry
from services.cli.checks.check import Check, bounded, fail, ok, skipped, warn
from services.kernel import bus

MANY = 1_000
"""Events that an effect has still to take up, beyond which it is told of."""
_NO_CONSUMER = 10014


async def look(nats: Client | None) -> list[Check]:
    """A check for each effect of the services. nats: None where JetStream cannot be used."""
    durables = [f"{name}-{effect}" for name in registry.NAMES for effect in _effects(name)]
    if nats is None:
        return skipped([_check(durable) for durable in durables], "JetStream is not reachable")
    return [await bounded(_check(durable), _keeps_up(durable, nats)) for durable in durables]


def _check(durable: str) -> str:
    return f"effect {durable}"


def _effects(service: str) -> list[str]:
    """Their names; none where the service cannot be imported, which another check tells."""
    try:
        return [effect.name for effect in registry.service(service).effects]
    except ImportError:
        return []


async def _keeps_up(durable: str, nats: Client) -> Check:
    name, service = _check(durable), durable.partition("-")[0]
    try:
        info = await bus.request(nats, f"CONSUMER.INFO.{bus.EVENTS}.{durable}", {})
    except bus.BusError as error:
        if error.code != _NO_CONSUMER:
            return fail(name, str(error), "look at the server's log")
        return ok(name, f"not begun: {service} makes its consumer when it starts")
    pending, unacknowledged = info["num_pending"], info["num_ack_pending"]
    most = info["config"]["max_ack_pending"]
    found = f"{pending} pending, {unacknowledged} of at most {most} under way"
    said = f"see effect_retried and effect_failed in the log of {service}"
    if unacknowledged >= most:
        return warn(name, found, f"it takes up no more until some are done: {said}, mend the cause; they come again")
    if pending > MANY:
        return warn(
            name,
            found,
            f"does {service} run? If not: `carebus run {service}`; if it does, {said}; more replicas share the work",
        )
    return ok(name, found)
