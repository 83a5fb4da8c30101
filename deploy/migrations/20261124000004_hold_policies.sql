-- migrate:up

-- A service's policies held still for a transaction, and which versions these are: one round trip of the kernel's
-- loop. Volatile, so that the table is read behind the lock and not as it was before it was waited for.
CREATE FUNCTION public.hold_policies() RETURNS text
LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema()), -1);
    RETURN (SELECT coalesce(string_agg(shop || '=' || version, ' ' ORDER BY shop), '') FROM policy);
END
$function$;

-- migrate:down

DROP FUNCTION public.hold_policies();
