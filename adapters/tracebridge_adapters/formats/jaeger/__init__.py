"""Jaeger: Thrift both ways, and the JSON of its query API on the way in."""
