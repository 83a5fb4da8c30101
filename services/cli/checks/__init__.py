"""What `carebus doctor` looks at."""
