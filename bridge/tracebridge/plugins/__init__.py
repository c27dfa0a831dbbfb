"""The contracts of what enters from outside (adapters, formats, sources, options), and the registry that finds it."""
