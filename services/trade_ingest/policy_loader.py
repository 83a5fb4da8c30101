"""The policy loader: what the policy directory holds is put into INBOX whenever it changes; `policies` tells the log.

It is the only one that reads the files: every service, replay too, decides by what the log says.
"""

from pathlib import Path

from schemas import subjects
from services.kernel import bus
from services.kernel.policy import PolicyError, read_directory
from services.kernel.settings import Settings
from services.kernel.telemetry import Log, Logger
from services.trade_ingest.sources import policy


class PolicyLoader:
    """One a service process; `load` is called again and again."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        """Shop -> digest of what was last put into INBOX from here."""
        self._refused = ""

    async def load(self, nats: bus.Nats, settings: Settings, log: Logger) -> None:
        """Publish what is new. A directory at fault is said once and changes nothing. Raises BusError."""
        if not settings.policy_directory:
            return
        try:
            found = read_directory(Path(settings.policy_directory))
        except (PolicyError, OSError) as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.say(Log.POLICY_REFUSED, reason=self._refused)
            return
        self._refused = ""
        for shop, values in found.shops.items():
            if self._told.get(shop) != values.digest:
                await bus.publish(nats, subjects.raw(policy.SOURCE, shop, policy.KIND), policy.message(values), {})
                self._told[shop] = values.digest
