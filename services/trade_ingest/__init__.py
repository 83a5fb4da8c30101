"""Trade ingest: orders, parcels, refunds and reviews, each fact once (交易)."""
