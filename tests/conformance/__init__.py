"""The same cases through the in-memory runner and through NATS + PostgreSQL: two runners, one meaning."""
