"""What happens to a finished record before it is queued, in the caller's thread. A stage keeps nothing and sends nothing."""
