"""Data only: YAML presets and the JSON Schema that editors use."""
