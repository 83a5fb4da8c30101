"""Care notifier: care messages to buyers, and who must hear of what (关怀)."""
