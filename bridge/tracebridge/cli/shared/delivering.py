"""What commands that deliver spans ask of a configuration."""

from __future__ import annotations

from tracebridge.errors import ConfigError
from tracebridge.settings.model import Settings


def switched_on(settings: Settings) -> Settings:
    """Return the settings. Raises ConfigError when tracing is switched off in them: spans would be taken, and sent nowhere."""
    if settings.disabled:
        raise ConfigError(
            "tracing is switched off, by OTEL_SDK_DISABLED=true or `disabled: true`; nothing would be sent"
        )
    return settings
