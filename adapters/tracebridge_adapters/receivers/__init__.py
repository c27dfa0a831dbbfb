"""Where `tracebridge relay` reads: one module for each system."""
