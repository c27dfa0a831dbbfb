"""What exit codes mean, the same for every command."""

from __future__ import annotations

from typing import Final

EXIT_NOT_FOUND: Final = 1
EXIT_INCOMPLETE: Final = 1  # not everything arrived, or not everything could be read

EXIT_CONFIG: Final = 78  # EX_CONFIG of sysexits.h: the configuration is wrong
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it
