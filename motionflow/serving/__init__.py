"""Serving: run directory -> SavedModel and other formats; clients of a server."""
