"""The vault: contact data (name, phone, address, e-mail), encrypted where it enters and kept apart from everything.

A source seals what it finds of a buyer's contact at once: from there on it is ciphertext and digests, in states, rows
and memory. Events carry `vault_ref`, digests and the region. The rows lie in a schema of their own: trade_ingest's
role may only add to and care_notifier's may only read (deploy/migrations). Source: domain.md 1, Contact data.

Two keys, both from files: the vault keys (Fernet, one a line, the first seals, all open: so they are rotated) and the
identity key, which may never change: digests and `nick-` lanes are made with it.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct

from schemas.buyer import ContactDigests
from services.kernel.settings import Settings, SettingsError

if TYPE_CHECKING:
    from services.kernel.store import Connection

ContactField = Literal["name", "phone", "email", "address"]

LEAST_IDENTITY_BYTES = 32
MASK = "*"

_PUT = """
INSERT INTO vault.contact (shop, vault_ref, buyer, sealed)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) ON CONFLICT DO NOTHING
"""


class Contact(Struct, frozen=True, kw_only=True):
    """As the platform gave it, masks and all; empty: not said. Never logged, never in a state or an event."""

    name: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""

    def __repr__(self) -> str:
        return "Contact(...)"


class Deposit(Struct, frozen=True, kw_only=True):
    """A sealed contact on its way to the vault. The same contact of a shop has the same `vault_ref`."""

    vault_ref: str
    sealed: str
    digests: ContactDigests
    region: str = ""


class Sealed(ValueError):
    """A contact that none of the present keys opens."""


class NoKeys(LookupError):
    """Something is to be digested or sealed, and this service has no keys: the message waits, parked."""


class Keys:
    """What digests and seals. Never printed."""

    def __init__(self, identity: bytes, vault: Sequence[bytes]) -> None:
        self._identity = identity
        self._vault = [Fernet(key) for key in vault]

    def __repr__(self) -> str:
        return "Keys(...)"

    def alias(self, shop: str, nick: str) -> str:
        """The digest of a nick within its shop, 32 hex digits (domain.md 1, Linking). Blanks around it do not count."""
        return self._digest("nick", shop, nick.strip())[:32]

    def nick_lane(self, shop: str, nick: str) -> str:
        """The buyer id under which a nick lives until it is linked."""
        return f"nick-{self.alias(shop, nick)}"

    def digest(self, field: ContactField, value: str) -> str | None:
        """The digest of a contact value, the same in all shops; None where it is empty or masked.

        Written alike, it digests alike: width, case, spaces and the hyphens of a phone number do not count.
        """
        plain = "".join(unicodedata.normalize("NFKC", value).casefold().split())
        if field == "phone":
            plain = "".join(letter for letter in plain if letter.isdigit() or letter == MASK)
            plain = plain.removeprefix("86") if len(plain) == 13 else plain
        if not plain or MASK in plain:
            return None
        return self._digest("contact", field, plain)[:40]

    def seal(self, shop: str, contact: Contact, region: str = "") -> Deposit | None:
        """The contact as it may be handed on; None where there is nothing in it."""
        raw = msgspec.json.encode(contact)
        if contact == Contact():
            return None
        fields: tuple[ContactField, ...] = ("name", "phone", "email", "address")
        digests = {field: self.digest(field, getattr(contact, field)) for field in fields}
        return Deposit(
            vault_ref="v-" + self._digest("vault", shop, raw.decode())[:32],
            sealed=MultiFernet(self._vault).encrypt(raw).decode(),
            digests=ContactDigests(**digests),
            region=region,
        )

    def open(self, sealed: str) -> Contact:
        """Raises Sealed."""
        try:
            return msgspec.json.decode(MultiFernet(self._vault).decrypt(sealed), type=Contact)
        except (InvalidToken, msgspec.MsgspecError):
            raise Sealed("no key of the vault opens it") from None

    def _digest(self, *parts: str) -> str:
        if not self._identity:
            raise NoKeys(
                "keys: this service was started without CAREBUS_IDENTITY_KEY_FILE and CAREBUS_VAULT_KEYS_FILE;"
                " make them with `carebus keys`, start it with them, then retry the message"
            )
        return hmac.new(self._identity, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()


NO_KEYS = Keys(b"", ())
"""Of a service that is given none: neither seals nor digests. Raises NoKeys when it is asked to."""


def read_keys(settings: Settings) -> Keys:
    """NO_KEYS where neither file is named. Raises SettingsError where one is missing or holds no key."""
    if not (settings.identity_key_file or settings.vault_keys_file):
        return NO_KEYS
    identity = _lines(settings.identity_key_file, "CAREBUS_IDENTITY_KEY_FILE")
    vault = _lines(settings.vault_keys_file, "CAREBUS_VAULT_KEYS_FILE")
    if len(identity) != 1 or len(identity[0]) < LEAST_IDENTITY_BYTES:
        raise SettingsError("CAREBUS_IDENTITY_KEY_FILE: one line of at least 32 characters, which is never changed")
    try:
        return Keys(identity[0], vault)
    except ValueError:
        raise SettingsError(
            "CAREBUS_VAULT_KEYS_FILE: a line is no Fernet key (`carebus keys vault` makes one)"
        ) from None


def new_vault_key() -> str:
    return Fernet.generate_key().decode()


async def put(connection: "Connection", deposits: Sequence[tuple[str, str, Deposit]]) -> None:
    """Keep (shop, buyer, deposit)s; one that is there already stays."""
    if deposits:
        rows = sorted({(shop, d.vault_ref, buyer, d.sealed.encode()) for shop, buyer, d in deposits})
        await connection.execute(_PUT, *map(list, zip(*rows, strict=True)))


def _lines(path: str, variable: str) -> list[bytes]:
    if not path:
        raise SettingsError(f"{variable}: not set; `carebus keys` makes the files")
    try:
        lines = Path(path).read_bytes().split()
    except OSError as error:
        raise SettingsError(f"{variable}: cannot read {path}: {error.strerror}") from None
    if not lines:
        raise SettingsError(f"{variable}: {path} is empty")
    return lines
