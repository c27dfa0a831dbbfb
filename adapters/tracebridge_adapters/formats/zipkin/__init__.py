"""Zipkin: v2 JSON and protobuf, both ways, and v1 on the way in."""
