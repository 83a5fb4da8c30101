-- migrate:up

-- One row a care message that the sender was asked for, written before anything leaves (attempting) and again when
-- it is known what became of it. It, and no acknowledgement, keeps a message from being sent twice.
-- place: of the channel among the request's, from 0. attempt: whose attempt it is; another one may not settle it.
CREATE TABLE care_notifier.sending (
    care_id      text        PRIMARY KEY,
    shop         text        NOT NULL,
    buyer        text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('attempting', 'sent', 'failed', 'unknown', 'suppressed')),
    place        smallint    NOT NULL DEFAULT 0,
    attempt      text        NOT NULL DEFAULT '',
    attempted_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);
CREATE INDEX sending_lane ON care_notifier.sending (shop, buyer);
CREATE INDEX sending_attempting ON care_notifier.sending (attempted_at) WHERE status = 'attempting';
GRANT SELECT, INSERT, UPDATE, DELETE ON care_notifier.sending TO carebus_care_notifier;

-- migrate:down

DROP TABLE care_notifier.sending;
