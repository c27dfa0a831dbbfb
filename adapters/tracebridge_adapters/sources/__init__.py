"""Inbound: foreign tracing libraries whose spans become finished records."""
