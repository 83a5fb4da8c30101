"""The policy in force for each shop, as `policy.changed` told it; all replicas switch through one table."""

from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from schemas.envelope import Event
from schemas.policy import PolicyChanged
from services.kernel import policy
from services.kernel.process import PolicyInForce, Process, with_due
from services.kernel.store import Connection, rows_of, state_rows, write

PAGE = 1_000

_HOLD = "SELECT public.hold_policies()"
_ALONE = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), -1)"
_ALL = "SELECT shop, version, digest, values FROM policy"
_PUT = """
INSERT INTO policy (shop, version, digest, values) VALUES ($1, $2, $3, $4)
ON CONFLICT (shop) DO UPDATE SET version = excluded.version, digest = excluded.digest, values = excluded.values
WHERE policy.version < excluded.version
RETURNING shop
"""
_STATES = """
SELECT * FROM state WHERE shop = $1 AND (process, buyer, key) > ($2, $3, $4)
ORDER BY process, buyer, key LIMIT $5 FOR UPDATE
"""


class PolicyBook:
    """Shop -> the policy that decisions are made under; the default policy for a shop that has said nothing."""

    def __init__(self) -> None:
        default = policy.default_policy()
        self._default = PolicyInForce(default, policy.digest(default))
        self._shops: dict[str, PolicyInForce] = {}
        self._mark = ""
        """All shops' versions, as the table had them when they were loaded."""

    def of(self, shop: str) -> PolicyInForce:
        return self._shops.get(shop, self._default)

    async def guard(self, connection: Connection) -> None:
        """Hold the policies still for this transaction, and reload them if another replica has switched."""
        await self.see(connection, await connection.fetchval(_HOLD))

    async def see(self, connection: Connection, mark: str) -> None:
        """Reload the policies if another replica has switched. mark: what hold_policies() said in this transaction."""
        if mark != self._mark:
            await self._load(connection)
            self._mark = mark

    async def switch(
        self,
        connection: Connection,
        event: Event[PolicyChanged],
        processes: Mapping[str, Process],
        now: datetime,
    ) -> bool:
        """Take a shop's new policy, and compute `due` anew for all its stories; False: it is not newer.

        In one transaction, alone: no other decides under the old policy once this is committed.
        """
        await connection.execute(_ALONE)
        data = event.data
        raw = msgspec.json.encode(data.values)
        if not await connection.fetchval(_PUT, event.shop, data.version, data.digest, raw):
            return False
        await self._load(connection)
        after = ("", "", "")
        while True:
            records = await connection.fetch(_STATES, event.shop, *after, PAGE)
            if not records:
                return True
            after = (records[-1]["process"], records[-1]["buyer"], records[-1]["key"])
            slots = {
                key: with_due(processes[key[0]], row.slot, now, self.of(event.shop))
                for key, row in rows_of(processes, records).items()
                if row.version == processes[key[0]].version and not row.fault
            }
            await write(connection, states=state_rows(processes, slots))

    async def _load(self, connection: Connection) -> None:
        self._shops = {
            row["shop"]: PolicyInForce(policy.from_event(_told(row)), row["digest"])
            for row in await connection.fetch(_ALL)
        }


def _told(row: asyncpg.Record) -> PolicyChanged:
    return PolicyChanged(
        shop=row["shop"],
        version=row["version"],
        digest=row["digest"],
        values=msgspec.json.decode(row["values"]),
    )
