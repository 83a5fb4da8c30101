-- migrate:up

-- One row an action that the bridge was asked for, written before the request leaves (attempting) and again when it is
-- known what became of it. It, and no acknowledgement, keeps an action from being performed twice.
-- waiting: it is known not to have been done and will be asked for again; attempts counts how often it was asked for.
-- attempt: whose attempt it is; another one may not settle it.
CREATE TABLE trade_ingest.acting (
    shop         text        NOT NULL,
    action_id    text        NOT NULL,
    buyer        text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('attempting', 'waiting', 'done', 'failed', 'unknown')),
    attempt      text        NOT NULL,
    attempts     integer     NOT NULL DEFAULT 1,
    attempted_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    PRIMARY KEY (shop, action_id)
);
-- One action of a buyer at a time, so that two flags of an order do not overtake each other on their way.
CREATE UNIQUE INDEX acting_open ON trade_ingest.acting (shop, buyer) WHERE status IN ('attempting', 'waiting');
CREATE INDEX acting_lane ON trade_ingest.acting (shop, buyer);
GRANT SELECT, INSERT, UPDATE, DELETE ON trade_ingest.acting TO carebus_trade_ingest;

-- migrate:down

DROP TABLE trade_ingest.acting;
