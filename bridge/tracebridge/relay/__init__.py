"""Messages into a client: what is read is decoded, delivered, and committed when every destination has it."""
