"""From the journal to the adapters: batches, retries, dead letters, counts. It knows no format and no wire."""
