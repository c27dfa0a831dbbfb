"""OTLP: protobuf and JSON, both ways, and the server's answer."""
