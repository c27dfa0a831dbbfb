"""Destinations as adapters: options + format + wire each."""
