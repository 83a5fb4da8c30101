"""After-sales: cases from opening to outcome (售后)."""
