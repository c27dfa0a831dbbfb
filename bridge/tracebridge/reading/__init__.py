"""What can be asked of a store or a system, and what comes back. It writes nothing."""
