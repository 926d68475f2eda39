"""The background worker, and the client that talks to it."""
