"""Real back-ends for tests: how each is fetched or built, started, probed and stopped, on loopback only."""
