"""Where the metrics of a client are shown, as its configuration says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tracebridge.errors import ConfigError
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.metrics.table import Numbers
from tracebridge.settings.model import MetricsSettings

if TYPE_CHECKING:
    from tracebridge.metrics.endpoint import Endpoint

_log = logger("tracebridge")


class Publication:
    """What shows the metrics of one client. A port that is taken and a provider that raises are told and cost nothing else."""

    def __init__(self, settings: MetricsSettings, numbers: Callable[[], Numbers | None]) -> None:
        self._endpoint: Endpoint | None = None
        if settings.listen is not None:
            self._serve(*settings.address, numbers)
        if settings.opentelemetry:
            _register(numbers)

    def _serve(self, host: str, port: int, numbers: Callable[[], Numbers | None]) -> None:
        from tracebridge.metrics.endpoint import Endpoint
        from tracebridge.metrics.prometheus import text
        from tracebridge.metrics.table import METRICS

        try:
            self._endpoint = Endpoint(host, port, lambda: text(METRICS, [({}, numbers() or {})]))
        except ConfigError as error:
            _log.warning("metrics.listen: %s", error)
        else:
            _log.info("metrics: http://%s:%d/metrics", f"[{host}]" if ":" in host else host, self._endpoint.port)

    def close(self) -> None:
        """Stop serving. OpenTelemetry's instruments go on as long as the client is there."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()

    def forget_after_fork(self) -> None:
        """Leave the parent's port to the parent."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.forget_after_fork()


def _register(numbers: Callable[[], Numbers | None]) -> None:
    try:
        from tracebridge.metrics.instruments import register
    except ImportError:
        _log.warning("metrics.opentelemetry needs opentelemetry-api: pip install 'tracebridge[opentelemetry]'")
        return
    try:
        register(numbers)
    except Exception as error:
        _log.warning("metrics.opentelemetry: the meter provider failed: %s: %s", type(error).__name__, clean(error))
