-- migrate:up

-- What every service owns: a schema, a role that may touch nothing else, and the kernel's tables.
-- A procedure, because five services want the same tables and a copy of each would drift.
CREATE PROCEDURE public.create_service(service text)
LANGUAGE plpgsql AS $procedure$
DECLARE
    role_name text := 'carebus_' || service;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I LOGIN', role_name);
    END IF;
    EXECUTE format('CREATE SCHEMA %I', service);

    -- How far a partition of a stream has been handled, and under whose ownership (epoch).
    EXECUTE format($sql$
        CREATE TABLE %I.checkpoint (
            stream     text        NOT NULL,
            partition  smallint    NOT NULL,
            seq        bigint      NOT NULL DEFAULT 0,
            recorded   timestamptz NOT NULL DEFAULT '-infinity',
            epoch      bigint      NOT NULL DEFAULT 0,
            PRIMARY KEY (stream, partition)
        ) WITH (fillfactor = 50)$sql$, service);

    -- Which streams the checkpoints speak of: another creation time means another log.
    EXECUTE format($sql$
        CREATE TABLE %I.stream (
            stream  text        PRIMARY KEY,
            created timestamptz NOT NULL
        )$sql$, service);

    -- The replicas that are alive, as far as their heartbeats tell.
    EXECUTE format($sql$
        CREATE TABLE %I.replica (
            replica   text        PRIMARY KEY,
            heartbeat timestamptz NOT NULL
        )$sql$, service);

    -- One story of one process. inputs: events folded, own ones too. decided / reread: own events made here,
    -- and seen again in the log. due: what the process asked for; fire: the instant its tick has.
    EXECUTE format($sql$
        CREATE TABLE %I.state (
            process     text        NOT NULL,
            shop        text        NOT NULL,
            buyer       text        NOT NULL,
            key         text        NOT NULL,
            partition   smallint    NOT NULL,
            version     integer     NOT NULL,
            state       bytea,
            inputs      bigint      NOT NULL DEFAULT 0,
            decided     bigint      NOT NULL DEFAULT 0,
            reread      bigint      NOT NULL DEFAULT 0,
            basis       text        NOT NULL DEFAULT '',
            correlation text        NOT NULL DEFAULT '',
            due         timestamptz,
            fire        timestamptz,
            PRIMARY KEY (process, shop, buyer, key)
        ) WITH (fillfactor = 70)$sql$, service);
    EXECUTE format('CREATE INDEX state_fire ON %I.state (fire) WHERE fire IS NOT NULL', service);
    EXECUTE format('CREATE INDEX state_lane ON %I.state (shop, buyer)', service);

    -- Decided and not yet known to be in the log. after: the log's last sequence when it was decided.
    EXECUTE format($sql$
        CREATE TABLE %I.outbox (
            id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            partition smallint    NOT NULL,
            event_id  text        NOT NULL,
            subject   text        NOT NULL,
            payload   bytea       NOT NULL,
            after     bigint      NOT NULL,
            shop      text        NOT NULL,
            buyer     text        NOT NULL,
            created   timestamptz NOT NULL DEFAULT now()
        )$sql$, service);

    -- Messages that could not be handled (failed) and those of the same lane behind them (waiting).
    EXECUTE format($sql$
        CREATE TABLE %I.parked (
            id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            stream    text        NOT NULL,
            seq       bigint      NOT NULL,
            part      integer     NOT NULL DEFAULT 0,
            partition smallint    NOT NULL,
            shop      text        NOT NULL,
            buyer     text        NOT NULL,
            key       text        NOT NULL DEFAULT '',
            subject   text        NOT NULL,
            recorded  timestamptz NOT NULL,
            payload   bytea       NOT NULL,
            status    text        NOT NULL CHECK (status IN ('failed', 'waiting', 'retry', 'aside')),
            reason    text        NOT NULL DEFAULT '',
            detail    text        NOT NULL DEFAULT '',
            code      text        NOT NULL DEFAULT '',
            parked    timestamptz NOT NULL DEFAULT now()
        )$sql$, service);
    EXECUTE format($sql$
        CREATE UNIQUE INDEX parked_message ON %I.parked (stream, seq, part) WHERE stream <> 'TICK'
        $sql$, service);
    EXECUTE format('CREATE INDEX parked_lane ON %I.parked (shop, buyer, key, id)', service);

    -- The lanes that wait behind a parked message; key is empty where the whole lane waits. behind: the key
    -- under which the parked message and those that wait are played again.
    EXECUTE format($sql$
        CREATE TABLE %I.blocked (
            shop      text     NOT NULL,
            buyer     text     NOT NULL,
            key       text     NOT NULL DEFAULT '',
            behind    text     NOT NULL DEFAULT '',
            partition smallint NOT NULL,
            PRIMARY KEY (shop, buyer, key)
        )$sql$, service);

    -- The first answer to every command; content and reception are kept 90 days for `record`.
    EXECUTE format($sql$
        CREATE TABLE %I.command (
            command_id text        PRIMARY KEY,
            name       text        NOT NULL,
            content    bytea       NOT NULL,
            received   timestamptz NOT NULL,
            answer     bytea
        )$sql$, service);
    EXECUTE format('CREATE INDEX command_received ON %I.command (received)', service);

    -- The policy in force a shop, as policy.changed told it.
    EXECUTE format($sql$
        CREATE TABLE %I.policy (
            shop    text   PRIMARY KEY,
            version bigint NOT NULL,
            digest  text   NOT NULL,
            values  bytea  NOT NULL
        )$sql$, service);

    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, role_name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', service, role_name);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', role_name, service);
END
$procedure$;
REVOKE EXECUTE ON PROCEDURE public.create_service FROM PUBLIC;

-- The hand of the clock under CAREBUS_CLOCK=driven (tests and the demo); every service reads it.
CREATE TABLE public.driven_clock (
    one boolean     PRIMARY KEY DEFAULT true CHECK (one),
    now timestamptz NOT NULL
);
INSERT INTO public.driven_clock (now) VALUES ('1970-01-01T00:00:00Z');
GRANT SELECT ON public.driven_clock TO PUBLIC;

CALL public.create_service('chat_ingest');
CALL public.create_service('trade_ingest');
CALL public.create_service('care_notifier');
CALL public.create_service('aftersales');
CALL public.create_service('projections');

-- migrate:down

DROP SCHEMA chat_ingest, trade_ingest, care_notifier, aftersales, projections CASCADE;
DROP TABLE public.driven_clock;
DROP PROCEDURE public.create_service;
