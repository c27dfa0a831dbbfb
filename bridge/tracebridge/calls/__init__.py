"""The client's calls, a module each; `tracebridge.client.Client` is what they are together."""
