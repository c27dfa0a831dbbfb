"""Finished spans: frozen, exact values, and how any Python value becomes one. No destination's habits stand here."""
