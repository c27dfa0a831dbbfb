"""One tree with OpenTelemetry: the current span here and there."""
