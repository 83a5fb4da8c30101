"""Every line that a service may log: its level, the fields it may carry, what it means and what to do.

The fields are an allow-list: what is not named here is not written. No field holds a payload, a text
that people wrote, a name, a number or an address; `shop` and `key` are ids of the platform.
`python -m services.kernel.vocabulary` prints the page for ops, `deploy/logs.md`.
"""

from enum import Enum, unique
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]

ALWAYS = {
    "timestamp": "When the line was written: UTC, ISO 8601.",
    "level": "debug, info, warning or error.",
    "event": "A name of the table below.",
    "service": "The service that says it.",
}
"""On every line."""

FIELDS = {
    "age_s": "Seconds since the oldest of them came.",
    "care": "The id of a care message.",
    "causation": "The id of the event or command that led to it.",
    "channel": "platform, sms, email or phone.",
    "command": "The id of a command.",
    "correlation": "The id that all messages of one story share.",
    "count": "How many.",
    "created": "When the stream was created, as the server says.",
    "digest": "Of a policy: what decided events carry. Of a text: what care.sent carries.",
    "dropped": "How many were found in the log already.",
    "endpoint": "The name of a command or a query.",
    "epoch": "The number of a take-over of a partition.",
    "error": "An exception: its class and where it was raised, never its text.",
    "expected": "The sequence, version or count that was expected.",
    "found": "The sequence, version or count that was found.",
    "key": "The story within the lane: an id of an order, a case, an agent or a buyer.",
    "kind": "The kind of a care message.",
    "lag_s": "Seconds from the log's taking a message to the commit of what came of it.",
    "length": "Of a text, in characters.",
    "library": "The name of a library's logger.",
    "partition": "0 to 15.",
    "partitions": "A list of partitions.",
    "pid": "The process of the operating system.",
    "port": "The port of the HTTP door.",
    "process": "The process (decider), the projection or the effect.",
    "reason": "Why, as a code or one line; numbers of people and addresses in it are masked.",
    "replica": "The id of a running copy of the service.",
    "result": "accepted, or the code of the rejection.",
    "row": "The row of a parked message.",
    "seconds": "How long it took.",
    "seq": "A sequence of the stream.",
    "server": "A server's address without its login.",
    "shop": "The shop's id.",
    "source": "The name of a feed, as in `in.<source>.<shop>.<kind>`.",
    "stream": "EVENTS or INBOX.",
    "type": "The type of an event.",
    "version": "Of the program, of a process or projection, of an event type, or of a policy.",
}
"""Every field that some line may carry, and its meaning."""

_MESSAGE = ("stream", "partition", "seq", "shop", "type", "key", "correlation", "causation")


@unique
class Log(Enum):
    """A line: (level, fields beside ALWAYS, what it means, what to do)."""

    # the service
    SERVICE_STARTED = ("info", ("version", "replica", "pid", "port", "server"), "It runs.", "Nothing.")
    SERVICE_STOPPED = (
        "info",
        ("replica", "reason", "error"),
        "It ended.",
        "If it was not asked to: see `reason`.",
    )
    SERVICE_FAILED = (
        "error", ("error", "replica"),
        "A bug: it cannot go on and ends; its supervisor starts it again.", "Report the place that `error` names.",
    )  # fmt: skip
    LIBRARY_WARNING = (
        "warning", ("library", "error", "reason"),
        "A library logged a warning or an error; its text is withheld, `reason` is where in its code.",
        "Look at the lines around it.",
    )  # fmt: skip
    CLOCK_DRIVEN = (
        "warning", (),
        "Time comes from the log (`CAREBUS_CLOCK=driven`), for tests and the demo.",
        "In production: stop the service and remove the variable.",
    )  # fmt: skip
    # ownership
    PARTITIONS_OWNED = (
        "info",
        ("partitions", "count", "replica"),
        "What this replica works on now.",
        "Nothing.",
    )
    PARTITION_RELEASED = (
        "info", ("stream", "partition", "replica", "reason"),
        "Given back, for another replica to take.", "Nothing.",
    )  # fmt: skip
    PARTITION_LOST = (
        "warning", ("stream", "partition", "partitions", "epoch", "replica", "reason"),
        "Another replica has taken it while this one worked (fenced); what was not committed is undone.",
        "Nothing once. Often: this replica is frozen or starved of CPU for longer than `CAREBUS_STALE_S`.",
    )  # fmt: skip
    REPLICA_EVICTED = (
        "warning", ("replica", "age_s", "pid"),
        "Its database session was ended, its partitions are free.", "Find out why it had stopped.",
    )  # fmt: skip
    # reading
    READER_OPENED = (
        "info",
        ("stream", "partitions", "count", "seq"),
        "Reads from this sequence on.",
        "Nothing.",
    )
    READER_GAP = (
        "warning", ("stream", "seq", "expected", "found", "reason"),
        "Messages are missing between server and reader; it opens again from its checkpoints.",
        "Often: look at the network and at slow consumers on the server.",
    )  # fmt: skip
    LOG_RESTORED = (
        "error", ("stream", "partition", "seq", "expected", "found", "created", "reason"),
        "ALERT. A checkpoint lies beyond the log's end, or the stream is another than before: the log was "
        "restored or made anew. The service has stopped rather than skip.",
        "Restore database and log from one backup.",
    )  # fmt: skip
    BATCH_COMMITTED = (
        "debug", ("partitions", "count", "seq", "seconds", "lag_s"),
        "One transaction with so many messages, up to this sequence.", "Nothing.",
    )  # fmt: skip
    BATCH_FAILED = (
        "error", ("stream", "partitions", "seq", "count", "reason", "error"),
        "A transaction was rolled back; everything is read again.", "If it repeats: look at the database.",
    )  # fmt: skip
    # messages
    MESSAGE_PARKED = (
        "error", (*_MESSAGE, "process", "row", "reason", "error"),
        "It could not be decoded or decided and is set aside; its buyer waits, all others go on.",
        "`carebus parked`: look at it, mend what `reason` says, retry it.",
    )  # fmt: skip
    FACT_GONE = (
        "error", ("seq", "reason"),
        "A fact that had waited long enough was to be set aside, but INBOX no longer holds its message.",
        "Have its sender publish it anew, and find out who purged INBOX: it keeps messages for 14 days.",
    )  # fmt: skip
    MESSAGE_SKIPPED = (
        "debug", (*_MESSAGE, "reason"),
        "A type that this version does not know (a newer writer's).",
        "Nothing; after an upgrade of all services there are none.",
    )  # fmt: skip
    PARKED_RETRIED = (
        "info", ("partition", "shop", "key", "row", "seq", "count", "reason"),
        "A parked message and those behind it were handled again; `reason` if it failed once more.",
        "Nothing; with a `reason`: as for message_parked.",
    )  # fmt: skip
    TICK_PARKED = (
        "error", ("process", "partition", "shop", "key", "row", "reason", "error"),
        "A story's tick failed, or changed nothing and would fire again at once: a bug.",
        "As for message_parked; report it to the developers.",
    )  # fmt: skip
    # state
    STATE_REFOLDED = (
        "info", ("process", "partition", "shop", "key", "count", "version", "seconds"),
        "A stored state was of an older version and is folded anew from the log.", "Nothing.",
    )  # fmt: skip
    STATE_NEWER = (
        "error", ("process", "partition", "shop", "key", "version", "expected", "found", "reason"),
        "A stored state is of a newer version: this replica gives up the partition.", "Upgrade this replica.",
    )  # fmt: skip
    # outbox
    OUTBOX_PUBLISHED = (
        "debug", ("partition", "count", "seq", "seconds"), "Decided events are in the log.", "Nothing.",
    )  # fmt: skip
    OUTBOX_RETRY = (
        "warning", ("partition", "count", "age_s", "reason", "error"),
        "Publishing failed or was not acknowledged; it is tried again, after a look in the log.",
        "If it repeats: look at NATS (disk full, no leader).",
    )  # fmt: skip
    OUTBOX_RECONCILED = (
        "info", ("partition", "count", "dropped", "seq", "seconds"),
        "What had been sent before was looked up in the log; what is there is not sent again.", "Nothing.",
    )  # fmt: skip
    # commands, queries
    COMMAND_ANSWERED = (
        "info", ("endpoint", "command", "shop", "correlation", "result", "seconds"),
        "Accepted, or rejected with a code.", "Nothing.",
    )  # fmt: skip
    COMMAND_FAILED = (
        "error", ("endpoint", "command", "shop", "correlation", "reason", "error", "seconds"),
        "A command's handler broke; the answer was internal_error or unavailable.",
        "See `error`; it may be sent again.",
    )  # fmt: skip
    COMMAND_CONFLICT = (
        "warning", ("endpoint", "command", "shop", "correlation"),
        "A known command id came with other content and was refused.", "Tell the sender to take new ids.",
    )  # fmt: skip
    QUERY_ANSWERED = ("debug", ("endpoint", "shop", "count", "seq", "seconds"), "A page of rows.", "Nothing.")
    QUERY_FAILED = (
        "error", ("endpoint", "shop", "reason", "error", "seconds"),
        "A query's handler broke.", "See `error`.",
    )  # fmt: skip
    # the HTTP door
    DOOR_ACCEPTED = (
        "debug", ("source", "shop", "seq", "seconds"),
        "A raw message came through the HTTP door and INBOX holds it.", "Nothing.",
    )  # fmt: skip
    DOOR_REFUSED = (
        "warning", ("source", "shop", "reason", "seconds"),
        "A request at the HTTP door was refused, and its sender told. `source` and `shop` are missing where there is "
        "no such door.",
        "Wrong signatures: compare secret and clock with the sender's. full, unavailable: look at NATS. busy: add "
        "a replica.",
    )  # fmt: skip
    # effects
    EFFECT_RETRIED = (
        "warning", ("process", "shop", "type", "seq", "error"),
        "An effect could not be performed (PostgreSQL or NATS was away, or the event is of a newer version than this "
        "replica's); it is tried again, each time later.",
        "If it repeats: look at PostgreSQL and NATS; upgrade this replica.",
    )  # fmt: skip
    EFFECT_FAILED = (
        "error", ("process", "shop", "type", "seq", "error"),
        "An effect broke: a bug. The event is kept and tried again every five minutes; all others go on.",
        "Report the place that `error` names; after the upgrade it is performed by itself.",
    )  # fmt: skip
    EFFECT_SKIPPED = (
        "warning", ("process", "seq", "error"),
        "A message of the log does not decode, so nothing can be done because of it.",
        "See the message_parked line of the same `seq` for who wrote it; its retry does not perform the effect.",
    )  # fmt: skip
    CARE_LOGGED = (
        "info", ("care", "kind", "channel", "shop", "length", "digest"),
        "The transport `log` took a care message: this line is all that was sent.",
        "Nothing; with a real transport there is none.",
    )  # fmt: skip
    # policy and servers
    POLICY_REFUSED = (
        "error", ("reason",),
        "The policy directory holds what cannot be a policy; the last good policies stay in force.",
        "Mend the file and setting that `reason` names; it is read again by itself.",
    )  # fmt: skip
    POLICY_SWITCHED = (
        "info", ("shop", "digest", "version", "seq"), "A shop's policy is in force.", "Nothing.",
    )  # fmt: skip
    NATS_DISCONNECTED = (
        "warning", ("server", "reason", "error"),
        "The connection is gone; it is tried again for ever.", "If it stays: look at NATS.",
    )  # fmt: skip
    NATS_RECONNECTED = ("info", ("server", "seconds"), "NATS is back.", "Nothing.")
    POSTGRES_UNAVAILABLE = (
        "error", ("server", "reason", "error"),
        "The database cannot be reached; nothing is read, commands answer unavailable.",
        "Look at PostgreSQL.",
    )  # fmt: skip
    POSTGRES_BACK = ("info", ("server", "seconds"), "The database is back.", "Nothing.")

    def __init__(self, level: Level, fields: tuple[str, ...], meaning: str, remedy: str) -> None:
        self.level: Level = level
        self.fields = frozenset(fields)
        self.meaning = meaning
        self.remedy = remedy


def vocabulary_page() -> str:
    """The page for ops, in Markdown."""
    lines = [
        "# What the services log",
        "",
        "Generated by `python -m services.kernel.vocabulary > deploy/logs.md`; not edited by hand.",
        "One JSON object a line. Other lines and other fields do not exist.",
        "",
        "| event | level | what it means | what to do | fields |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {log.name.lower()} | {log.level} | {log.meaning} | {log.remedy} | {fields} |"
            for log in Log
            for fields in [", ".join(sorted(log.fields))]
        ),
        "",
        "## Fields",
        "",
        "| field | |",
        "| --- | --- |",
        *(f"| {name} | {text} |" for name, text in (ALWAYS | dict(sorted(FIELDS.items()))).items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(vocabulary_page(), end="")
