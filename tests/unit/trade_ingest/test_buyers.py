"""Buyers: a nick and an open id in one message are linked once, in the open id's lane (domain.md 1, Linking)."""

from schemas.buyer import BuyerLinked
from services.kernel.process import Emit
from services.replay.story import at, fact, story
from services.trade_ingest import buyers
from services.trade_ingest.stated import Owner

ALIAS = "0f" * 16


def owner(open_id: str, order: str = "o1", alias: str = ALIAS) -> Owner:
    return Owner(order_id=order, open_id=open_id, alias=alias)


def linked(open_id: str, order: str = "o1", alias: str = ALIAS) -> BuyerLinked:
    return BuyerLinked(alias_kind="nick", alias_digest=alias, open_id=open_id, evidence=f"order {order}")


def test_an_order_that_names_nick_and_open_id_links_them_in_the_open_ids_lane() -> None:
    story(buyers).when(fact(owner("b1"), "10:00:00", recorded="11:00:00", buyer="b1")).then(
        Emit(data=linked("b1"), buyer="b1", time=at("10:00:00"))
    )


def test_a_link_is_told_once_whatever_order_names_it_again() -> None:
    story(buyers).given(fact(owner("b1"))).when(fact(owner("b1")), fact(owner("b1", "o2"), "12:00:00")).then()


def test_a_nick_that_changed_hands_is_linked_with_each_open_id() -> None:
    story(buyers).when(fact(owner("b1")), fact(owner("b2", "o2")), fact(owner("b1", "o3"))).then(
        linked("b1"), linked("b2", "o2")
    )


def test_an_open_id_with_two_nicks_is_linked_with_both() -> None:
    other = "ab" * 16
    story(buyers).when(fact(owner("b1")), fact(owner("b1", alias=other))).then(linked("b1"), linked("b1", alias=other))


def test_an_owner_without_a_nick_links_nobody() -> None:
    story(buyers).when(fact(owner("b1", alias=""))).then()


def test_shops_do_not_share_their_links() -> None:
    story(buyers).given(fact(owner("b1"))).when(fact(owner("b1"), shop="s2")).then(
        Emit(data=linked("b1"), shop="s2", buyer="b1")
    )
