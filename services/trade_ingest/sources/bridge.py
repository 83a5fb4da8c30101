"""`in.bridge.<shop>.<kind>`: what is said of actions on the platform, beside the bridge's own answers.

| kind | by | JSON | states |
| --- | --- | --- | --- |
| pushed | the effect, before it asks for a flag | order_id, platform, colour (null: no flag), memo | `FlagPushed` |
| unclear | the effect, after `platform.action_unknown` | action_id, kind, buyer, attempts | `ActionUnclear` |
| result | the shop's bridge, late | action_id, status (done, refused), platform_ref?, error? | `ActionReported` |

A bridge need not say whose action it was: `unclear` does.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from schemas.platform import ActionKind
from schemas.types import FlagColour, Platform
from services.kernel.fields import Fields, message, told
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.bridge_results import ActionReported, ActionUnclear
from services.trade_ingest.flag_codes import code_of
from services.trade_ingest.stated import FlagPushed


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    if raw.kind == "chat":
        return ()
    if raw.kind not in _KINDS:
        return [Refused(f"kind: in.bridge.<shop>.<kind> has the kinds {', '.join(_KINDS)}", "kind")]
    return told(lambda: _facts(raw))


def _facts(raw: RawFact) -> Iterator[Fact[Any]]:
    yield Fact(data=_KINDS[raw.kind](message(raw)), shop=raw.shop, time=raw.recorded)


def _pushed(said: Fields) -> FlagPushed:
    platform: Platform = said.must("platform", said.choice("platform", _same(Platform)))
    colour: FlagColour | None = said.choice("colour", _same(FlagColour))
    code = code_of(platform, colour)
    if code is None:
        raise said.wrong("colour", "this platform shows no flag of this colour")
    return FlagPushed(
        order_id=said.must("order_id", said.id("order_id")), raw_code=code, memo=said.long_text("memo") or ""
    )


def _unclear(said: Fields) -> ActionUnclear:
    return ActionUnclear(
        action_id=said.must("action_id", said.id("action_id")),
        kind=said.must("kind", said.choice("kind", _same(ActionKind))),
        buyer=said.must("buyer", said.id("buyer")),
        attempts=said.must("attempts", said.whole("attempts")),
    )


def _result(said: Fields) -> ActionReported:
    return ActionReported(
        action_id=said.must("action_id", said.id("action_id")),
        done=said.must("status", said.choice("status", {"done": True, "refused": False})),
        platform_ref=said.text("platform_ref"),
        error=said.text("error") or "",
    )


_KINDS: dict[str, Callable[[Fields], Any]] = {"pushed": _pushed, "unclear": _unclear, "result": _result}


def _same(words: Any) -> dict[str, Any]:
    """The words of a Literal, each meaning itself."""
    return {word: word for word in get_args(words)}
