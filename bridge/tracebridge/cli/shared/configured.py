"""Settings for a command, and a word on where they are from when that is not plain to see."""

from __future__ import annotations

from tracebridge.cli.shared.output import echo
from tracebridge.settings.load import IfUnwritable, Loaded, load

CONFIG_HELP = (
    "YAML file; default: $TRACEBRIDGE_CONFIG, else the server at $MLFLOW_TRACKING_URI, else the embedded store."
)


def configured(config: str | None, *, if_unwritable: IfUnwritable, tells_all: bool = False) -> Loaded:
    """Return what `--config`, or else the environment, says.

    A server that MLFLOW_TRACKING_URI chose is named on stderr: the variable is another program's. `tells_all` is for commands that write of
    themselves: they name the file that TRACEBRIDGE_CONFIG chose, too. Raises ConfigError for a wrong configuration.
    """
    loaded = load(config, if_unwritable=if_unwritable)
    if loaded.by == "MLFLOW_TRACKING_URI" or (tells_all and loaded.by == "TRACEBRIDGE_CONFIG"):
        echo(f"destinations: {loaded.told}", err=True)
    return loaded
