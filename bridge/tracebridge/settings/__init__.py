"""YAML text to frozen settings: positions, substitution, errors, JSON Schema."""
