"""The recorder: remembers what ran in a database, and tells it. Nothing waits for it."""
