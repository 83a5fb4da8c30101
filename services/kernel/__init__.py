"""The kernel: what every service needs to read the log once, decide, and be sure of it (design.md, "The loop")."""
