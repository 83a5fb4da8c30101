"""The fault matrix: real servers, real processes, fixed seeds; after each fault log and views are as without it."""
