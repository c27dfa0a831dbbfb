"""The books as metrics: one table of names, Prometheus's text form, OpenTelemetry's instruments. Nothing here counts anything."""
