"""`carebus simulate`: a bridge of one's own, as the settings of the services name it."""

import asyncio
import signal
from pathlib import Path

import pytest

from services.kernel.settings import Settings
from services.trade_ingest.bridge_file import Bridge, read_bridges
from services.trade_ingest.bridge_http import Outcome, Request, ask, session
from tests.carebus import LIMIT_S, NOWHERE, carebus, one_line, started

pytestmark = pytest.mark.integration

BEHAVIOUR = """
[[rules]]
order_id = "o2"
behaviour = "refuse"
[shares.close_order]
done = 1
"""


async def asked(bridge: Bridge, shop: str, order: str) -> Outcome:
    request = Request(
        action_id=f"a-{order}", shop=shop, buyer="b1", kind="close_order", args={"order_id": order, "reason": "缺货"}
    )
    async with session() as client:
        return await ask(client, bridge, request)


async def test_it_answers_for_its_shops_as_its_file_says_until_ctrl_c(tmp_path: Path) -> None:
    behaviour, file = tmp_path / "behaviour.toml", tmp_path / "new" / "bridges.toml"
    behaviour.write_text(BEHAVIOUR)
    arguments = ["simulate", "--shop", "s1", "--shop", "店", "--no-echo"]
    process = await started([*arguments, "--behaviour", str(behaviour), "--bridges", str(file)], {})
    assert process.stdout is not None
    try:
        ready = (await asyncio.wait_for(process.stdout.readline(), LIMIT_S)).decode()
        assert f"CAREBUS_BRIDGES_FILE={file}" in ready
        bridges = read_bridges(Settings(bridges_file=str(file)))
        assert set(bridges) == {"s1", "店"}
        assert (file.parent / "bridge-s1.secret").stat().st_mode & 0o077 == 0
        for shop, bridge in bridges.items():
            assert (await asked(bridge, shop, "o1")).status == "done"
            assert (await asked(bridge, shop, "o1")).status == "done"
            assert await asked(bridge, shop, "o2") == Outcome("failed", "the platform does not allow it")
        assert (await asked(bridges["店"], "s1", "o3")).status == "failed"
    finally:
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert (process.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines() == [
        "s1 close_order o1 a-o1",
        "店 close_order o1 a-o1",
        "The simulator has stopped.",
    ]


@pytest.mark.parametrize(
    ("behaviour", "secret", "said"),
    [
        ("seed = 'x'", None, "--behaviour: "),
        ("[[rules]]\nbehaviour = 'dance'", None, "--behaviour: "),
        ("", "no secret", "--bridges: "),
    ],
)
async def test_what_it_cannot_use_is_said_in_one_line(
    tmp_path: Path, behaviour: str, secret: str | None, said: str
) -> None:
    (tmp_path / "behaviour.toml").write_text(behaviour)
    if secret is not None:
        (tmp_path / "bridge-s1.secret").write_text(secret)
    files = ["--behaviour", str(tmp_path / "behaviour.toml"), "--bridges", str(tmp_path / "bridges.toml")]
    assert one_line(await carebus("simulate", "--shop", "s1", *files)).startswith(said)


async def test_without_nats_it_says_what_to_do(tmp_path: Path) -> None:
    outcome = await carebus("simulate", "--shop", "s1", "--bridges", str(tmp_path / "b.toml"), **NOWHERE)
    assert "cannot be connected to: connection refused; start it" in one_line(outcome)
