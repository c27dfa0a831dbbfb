"""Bytes out: transports that know no span."""
