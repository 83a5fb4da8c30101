-- migrate:up

-- Contact data of buyers, sealed before it comes here (services/kernel/vault.py): a schema of its own, which
-- trade_ingest may add to without reading it, and care_notifier may read without changing it. Rows are deleted by
-- whoever forgets a buyer (issue 7), and sealed anew under another key by nobody but the owner of the schema.
CREATE SCHEMA vault;
CREATE TABLE vault.contact (
    shop      text        NOT NULL,
    vault_ref text        NOT NULL,
    buyer     text        NOT NULL,
    sealed    bytea       NOT NULL,
    created   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, vault_ref, buyer)
);
CREATE INDEX contact_lane ON vault.contact (shop, buyer);
GRANT USAGE ON SCHEMA vault TO carebus_trade_ingest, carebus_care_notifier;
GRANT INSERT ON vault.contact TO carebus_trade_ingest;
GRANT SELECT ON vault.contact TO carebus_care_notifier;

-- migrate:down

DROP SCHEMA vault CASCADE;
