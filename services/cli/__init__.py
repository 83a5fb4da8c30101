"""The `carebus` command."""
