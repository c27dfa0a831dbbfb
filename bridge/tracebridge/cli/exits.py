"""What exit codes mean, the same for every command."""

from __future__ import annotations

from typing import Final

EXIT_NOT_FOUND: Final = 1

EXIT_CONFIG: Final = 78  # EX_CONFIG of sysexits.h: the configuration is wrong
