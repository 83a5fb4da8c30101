"""What trade_ingest understands of INBOX, one file a source."""
