"""MLflow's experiment: which one a server's traces go to, looked up by whoever needs it first, never where a client is built."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from tracebridge.errors import DeliveryError, Misconfigured
from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT
from tracebridge_adapters.wires.http_get import HttpReader

EXPERIMENTS = "/api/2.0/mlflow/experiments"
UNKNOWN, EXISTS = b"RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


T = TypeVar("T")


class _Experiment(msgspec.Struct):
    experiment_id: str
    name: str = ""
    lifecycle_stage: str = "active"


class _Found(msgspec.Struct):
    experiment: _Experiment


class _Made(msgspec.Struct):
    experiment_id: str


class MlflowExperiment:
    """The experiment that is named, given by its ID, or the default one, in this order; one that is named and missing is made, as MLflow does.

    Both given have to mean the same one. Safe from several threads: the worst is that two of them ask.
    """

    def __init__(self, server: HttpReader, *, name: str | None, experiment_id: str | None) -> None:
        self._server = server
        self._name, self._given_id = name, experiment_id
        self.known: str | None = None if name or experiment_id else DEFAULT_EXPERIMENT
        """Its ID, once somebody has asked for it."""

    def id(self) -> str:
        """Return its ID; the first time the server is asked.

        Raises Retryable for a server that is failing, Misconfigured for an experiment that cannot be used.
        """
        if self.known is None:
            self.known = self._named(self._name) if self._name else self._by_id(self._given_id or DEFAULT_EXPERIMENT)
        return self.known

    def _by_id(self, experiment_id: str) -> str:
        found = self._ask("get", {"experiment_id": experiment_id})
        if found is None:
            raise self._unusable(f"experiment {experiment_id} does not exist in MLflow; name one that does")
        return self._usable(found)

    def _named(self, name: str) -> str:
        found = self._ask("get-by-name", {"experiment_name": name})
        if found is None:
            return self._make(name)
        if self._given_id is not None and self._given_id != found.experiment_id:
            raise self._unusable(
                f"the experiment {name!r} has the ID {found.experiment_id}, not {self._given_id}; give one of the two"
            )
        return self._usable(found)

    def _usable(self, found: _Experiment) -> str:
        if found.lifecycle_stage != "active":
            raise self._unusable(
                f"the experiment {found.name!r} ({found.experiment_id}) is deleted in MLflow; restore it or name another"
            )
        return found.experiment_id

    def _unusable(self, message: str) -> Misconfigured:
        """Return the error for an experiment that spans cannot go to, under MLflow's own name for it: its path is right."""
        wrong = Misconfigured(f"{self._server.shown_url}: {message}")
        wrong.status = UNKNOWN.decode()
        return wrong

    def _make(self, name: str) -> str:
        try:
            answer = self._server.post(f"{EXPERIMENTS}/create", msgspec.json.encode({"name": name}))
        except DeliveryError as error:
            if EXISTS not in str(error):
                raise
            found = self._ask("get-by-name", {"experiment_name": name})  # another process was faster
            if found is None:
                raise
            return self._usable(found)
        return self._decoded(answer, _Made).experiment_id

    def _ask(self, call: str, query: dict[str, str | int]) -> _Experiment | None:
        answer = self._server.get(f"{EXPERIMENTS}/{call}", {**query}, missing=UNKNOWN)
        return None if answer is None else self._decoded(answer, _Found).experiment

    def _decoded(self, answer: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise Misconfigured(
                f"{self._server.shown_url}: not an answer of MLflow's experiments API: {error}; is it an MLflow server?"
            ) from error
