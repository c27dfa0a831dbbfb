"""Systems that can be read back: each reader asks one system's own query API and gives records."""
