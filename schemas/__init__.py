"""The contract: every event, command and query on the bus. Imports nothing of `services`."""
