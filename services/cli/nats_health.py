"""What nats-server says of itself at its monitoring door."""

import http.client
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

LIMIT_S = 1.0


class _Health(Struct, frozen=True):
    status: str = ""
    error: str = ""


def nats_complaint(monitoring_url: str) -> str | None:
    """What keeps it from its work: empty when nothing does, None when no answer comes within LIMIT_S."""
    connection = http.client.HTTPConnection(urlsplit(monitoring_url).netloc, timeout=LIMIT_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.OK:
        return ""
    try:
        said = msgspec.json.decode(body, type=_Health)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = _Health()
    return " ".join(f"{said.status} {said.error}".split()) or f"/healthz answers {answer.status}"
