"""The policies of all shops, read from a directory.

    owners/<owner>.toml    shops = ["<shop>", ...] and what holds for all of them
    shops/<shop>.toml      what holds for this shop alone

A file is named by its id, written as a subject token (`schemas.subjects.token`): most ids as they are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from msgspec import Struct, field

from schemas.subjects import SubjectError, untoken
from services.kernel.policy.load import PolicyError, Table, default_policy, load_tables, parse
from services.kernel.policy.model import Policy


class Policies(Struct, frozen=True):
    """A policy for each shop; a shop that is not listed has the defaults."""

    default: Policy
    shops: Mapping[str, Policy] = field(default_factory=dict[str, Policy])

    def for_shop(self, shop: str) -> Policy:
        return self.shops.get(shop, self.default)

    def switched(self, shop: str, policy: Policy) -> "Policies":
        """These policies, with this one from now on for the shop (on reading its `policy.changed`)."""
        return Policies(self.default, {**self.shops, shop: policy})

    def siblings(self, shop: str) -> tuple[str, ...]:
        """All known shops of this shop's owner, sorted, itself included; itself alone without an owner."""
        owner = self.for_shop(shop).shop.owner
        same = {name for name, policy in self.shops.items() if owner and policy.shop.owner == owner}
        return tuple(sorted(same | {shop}))


def read_directory(path: Path) -> Policies:
    """Everything below `path`. Raises PolicyError: what `load` refuses, or a shop that two owners list."""
    layers: dict[str, list[tuple[str, Table]]] = {}
    owners: dict[str, str] = {}
    for owner, name, table in _tables(path, "owners"):
        shops = _shops(name, table.pop("shops", []))
        load_tables([(name, table)])
        for shop in shops:
            if shop in owners:
                raise PolicyError(f"{name}: shops: {shop!r} is listed by owner {owners[shop]!r} already")
            owners[shop] = owner
            layers[shop] = [(name, table), (name, {"shop": {"owner": owner}})]
    for shop, name, table in _tables(path, "shops"):
        if "owner" in table.get("shop", {}):
            raise PolicyError(f"{name}: shop.owner: the owner's file says whose shop it is")
        layers.setdefault(shop, []).append((name, table))
    return Policies(default_policy(), {shop: load_tables(each) for shop, each in sorted(layers.items())})


def _tables(path: Path, folder: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, file name for errors, content) of each TOML file in the folder, in order."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for file in sorted((path / folder).glob("*.toml")):
        name = f"{folder}/{file.name}"
        try:
            identifier = untoken(file.stem)
        except SubjectError as error:
            raise PolicyError(f"{name}: the file name: {error}") from error
        found.append((identifier, name, parse(name, file.read_bytes())))
    return found


def _shops(name: str, listed: Any) -> list[str]:
    if not isinstance(listed, list) or not all(isinstance(shop, str) for shop in cast("list[Any]", listed)):
        raise PolicyError(f"{name}: shops: a list of shop ids in quotes")
    return cast("list[str]", listed)
