"""A service of CareBus as a process of this machine: `carebus run NAME` with its own settings, log and HTTP port."""

import http.client
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from services.cli.processes import HOST, Server


@dataclass(kw_only=True)
class ServiceProcess(Server):
    """One replica of a service; `directory` holds its log. variables: its `CAREBUS_*`, all of them."""

    variables: Mapping[str, str] = field(repr=False)

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def last_words(self) -> str:
        """What it said on stderr: its own log lines are JSON objects and tell more than one line should."""
        said = [line for line in self._said() if line.strip() and not line.startswith("{")]
        return said[-1] if said else "it said nothing"

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAREBUS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "run", self.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**inherited, **self.variables},
            start_new_session=True,
        )

    def _ready(self) -> bool:
        try:
            return get(f"{self.url}/health/ready", 1)[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def get(url: str, timeout_s: float) -> tuple[int, str]:
    """Status and body of what a service's HTTP door answers. Raises OSError and HTTPException."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or HOST, parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()
