"""`tracebridge.Config`: the configuration as a typed mapping, for editors and type checkers."""

from __future__ import annotations

from tracebridge_config.types import Config

__all__ = ["Config"]
