"""Chat ingest: what buyers and agents say, and how well it is answered (接待)."""
