"""Caller-supplied trace IDs: schemes that derive wire IDs, and random IDs."""
