"""A Jaeger agent's UDP port on loopback, for jaeger-client: datagrams decoded by the Apache Thrift classes that it ships."""

from __future__ import annotations

import contextlib
import socket
import threading

from benchmarks.faults.arrivals import Arrivals
from benchmarks.faults.spans import Arrived

LARGEST_DATAGRAM = 65_536


class Agent:
    """Takes `emitBatch` messages in the compact protocol. Nobody is answered: UDP has no answers."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self._socket: socket.socket | None = None
        self.port = 0
        self._thread: threading.Thread | None = None
        self.up()

    def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**23)
        self._socket.bind(("127.0.0.1", self.port))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, args=(self._socket,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Stop listening: what is sent now is gone."""
        if self._socket is not None and self._thread is not None:
            held, self._socket = self._socket, None
            self._thread.join()
            held.close()

    close = down

    def _listen(self, held: socket.socket) -> None:
        while self._socket is held:
            with contextlib.suppress(TimeoutError):
                self.arrivals.take(_decoded(held.recv(LARGEST_DATAGRAM)), "", answered=True)


def _decoded(datagram: bytes) -> list[Arrived]:
    from jaeger_client.thrift_gen.agent.Agent import emitBatch_args
    from thrift.protocol.TCompactProtocol import TCompactProtocol
    from thrift.transport.TTransport import TMemoryBuffer

    protocol = TCompactProtocol(TMemoryBuffer(datagram))
    protocol.readMessageBegin()
    message = emitBatch_args()
    message.read(protocol)
    spans = []
    for span in message.batch.spans:
        attributes = {
            tag.key: next((value for value in (tag.vStr, tag.vLong, tag.vDouble, tag.vBool) if value is not None), None)
            for tag in span.tags
        }
        trace_id = f"{span.traceIdHigh % 2**64:016x}{span.traceIdLow % 2**64:016x}"
        parent_id = f"{span.parentSpanId % 2**64:016x}" if span.parentSpanId else ""
        spans.append(
            Arrived(span.operationName, trace_id, f"{span.spanId % 2**64:016x}", parent_id, attributes, span.duration)
        )
    return spans
