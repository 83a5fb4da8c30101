"""Databases for tests: a migrated template made once for each server, and copies of it."""

import secrets
from dataclasses import dataclass, field

import asyncpg

from services.cli.servers import PostgresServer, migrate

TEMPLATE = "carebus_template"


@dataclass(frozen=True)
class Database:
    """One migrated database of a server. `passwords` has an entry for each service role."""

    server: PostgresServer
    name: str
    passwords: dict[str, str] = field(repr=False)

    @property
    def dsn(self) -> str:
        """The URL to connect by as the superuser."""
        return self.server.dsn(self.name)

    def dsn_for(self, role: str) -> str:
        """The URL to connect by as a service's role, `carebus_chat_ingest` say. Raises KeyError."""
        return self.server.dsn(self.name, user=role, password=self.passwords[role])


async def make_template(server: PostgresServer) -> Database:
    """Migrate the server's template and let each role that the migrations made log in."""
    migrate(server.dsn(TEMPLATE))
    connection = await asyncpg.connect(server.dsn())
    try:
        roles = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'carebus%'")
        passwords = {row["rolname"]: secrets.token_urlsafe(16) for row in roles}
        for role, password in passwords.items():
            statement = await connection.fetchval(
                "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, password
            )
            await connection.execute(statement)
    finally:
        await connection.close()
    return Database(server, TEMPLATE, passwords)


async def copy_of(template: Database, name: str) -> Database:
    """A new database with the template's tables, empty of rows."""
    await _on_server(template, f'CREATE DATABASE "{name}" TEMPLATE "{template.name}"')
    return Database(template.server, name, template.passwords)


async def drop(database: Database) -> None:
    """Drop the database, ending whatever is still connected to it."""
    await _on_server(database, f'DROP DATABASE "{database.name}" WITH (FORCE)')


async def _on_server(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.server.dsn())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
