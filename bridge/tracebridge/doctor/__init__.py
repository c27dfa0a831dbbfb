"""Is each destination reachable, and does it take a span? What `tracebridge doctor` asks."""
