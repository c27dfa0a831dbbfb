"""The network between a workload and a receiver: a TCP proxy on loopback that can be cut, at any byte and at any time."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from typing import Any

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST, as a network that breaks does not say goodbye
_CHUNK = 65_536


class Proxy:
    """Forwards to one port. `down()` refuses and resets, `reset()` only breaks what is connected now."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: socket.socket | None = None
        self._lines: set[_Line] = set()
        self._lock = threading.Lock()
        self.port = 0
        self.up()

    def up(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        if self._listener is not None:
            return
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections, and reset those that there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), whose thread closes it
        self.reset()

    close = down

    def reset(self) -> None:
        """Reset every connection, wherever it is in its request or answer."""
        with self._lock:
            for line in self._lines:
                line.cut()

    @property
    def busy(self) -> bool:
        """Whether something is connected."""
        with self._lock:
            return bool(self._lines)

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while self._listener is listener:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with far:
                line = _Line(near, far)
                with self._lock:
                    self._lines.add(line)
                try:
                    line.forward()
                finally:
                    with self._lock:
                        self._lines.discard(line)


class _Line:
    """Two connected sockets. Only the thread that forwards closes them: a closed number may be another's the next moment."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._ends = (near, far)
        for end in self._ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def forward(self) -> None:
        """Copy both ways until either end is closed."""
        near, far = self._ends
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select():
                    here: Any = key.fileobj
                    data = here.recv(_CHUNK)
                    if not data:
                        return
                    key.data.sendall(data)

    def cut(self) -> None:
        """End `forward`, by a reset towards both ends. Called while it runs."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
