-- migrate:up

-- The read models of `projections`: what has become of an order, and what was said and answered in the chats.
-- Every row belongs to one buyer's lane, so that two replicas never write the same one.

-- Where an order stands (order_timeline.py). known: the facts behind it as JSON, from which the other columns follow.
-- made: the sequence of its first event, which tells orders of one instant apart.
CREATE TABLE projections.order_state (
    shop         text        NOT NULL,
    buyer        text        NOT NULL,
    order_id     text        NOT NULL,
    state        text        NOT NULL,
    placed_at    timestamptz,
    paid_at      timestamptz,
    shipped_at   timestamptz,
    signed_at    timestamptz,
    completed_at timestamptz,
    closed_at    timestamptz,
    total_fen    bigint,
    paid_fen     bigint,
    parcels      integer     NOT NULL,
    lines        integer     NOT NULL,
    goods        text        NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    made         bigint      NOT NULL,
    known        bytea       NOT NULL,
    PRIMARY KEY (shop, buyer, order_id)
) WITH (fillfactor = 70);
CREATE INDEX order_state_order ON projections.order_state (shop, order_id);

-- All that happened about an order, one row an event.
CREATE TABLE projections.order_event (
    shop     text        NOT NULL,
    buyer    text        NOT NULL,
    order_id text        NOT NULL,
    time     timestamptz NOT NULL,
    seq      bigint      NOT NULL,
    recorded timestamptz NOT NULL,
    event_id text        NOT NULL,
    type     text        NOT NULL,
    summary  text        NOT NULL,
    PRIMARY KEY (shop, buyer, order_id, time, seq)
);

-- Which order a case is about: only its first events say so.
CREATE TABLE projections.order_case (
    shop     text NOT NULL,
    buyer    text NOT NULL,
    case_id  text NOT NULL,
    order_id text NOT NULL,
    PRIMARY KEY (shop, buyer, case_id)
);

-- What was said, one row a message (chat_history.py); kind `recall`: a message was taken back, which has its own row
-- where the recall names it.
CREATE TABLE projections.chat_message (
    shop            text        NOT NULL,
    buyer           text        NOT NULL,
    time            timestamptz NOT NULL,
    seq             bigint      NOT NULL,
    conversation_id text        NOT NULL,
    message_id      text,
    who             text        NOT NULL,
    agent_id        text,
    kind            text        NOT NULL,
    text            text        NOT NULL,
    PRIMARY KEY (shop, buyer, time, seq)
);
CREATE INDEX chat_message_id ON projections.chat_message (shop, buyer, message_id, time);

CREATE TABLE projections.chat_conversation (
    shop            text        NOT NULL,
    buyer           text        NOT NULL,
    conversation_id text        NOT NULL,
    channel         text        NOT NULL,
    opened_at       timestamptz NOT NULL,
    PRIMARY KEY (shop, buyer, conversation_id)
);

-- What was answered, one row a reply, in the order in which a period of a shop is asked for.
CREATE TABLE projections.chat_reply (
    shop            text        NOT NULL,
    time            timestamptz NOT NULL,
    seq             bigint      NOT NULL,
    buyer           text        NOT NULL,
    conversation_id text        NOT NULL,
    cycle           bigint      NOT NULL,
    agent_id        text        NOT NULL,
    by_bot          boolean     NOT NULL,
    first           boolean     NOT NULL,
    latency_ms      bigint      NOT NULL,
    PRIMARY KEY (shop, time, seq)
);

GRANT SELECT, INSERT, UPDATE, DELETE
ON projections.order_state, projections.order_event, projections.order_case, projections.chat_message,
   projections.chat_conversation, projections.chat_reply
TO carebus_projections;

-- migrate:down

DROP TABLE projections.chat_reply, projections.chat_conversation, projections.chat_message, projections.order_case,
           projections.order_event, projections.order_state;
