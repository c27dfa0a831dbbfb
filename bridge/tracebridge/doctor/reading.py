"""What `relay` reads: are the servers there, and all that the relay needs on them?"""

from __future__ import annotations

from typing import Any

from tracebridge.doctor.examine import STEP_TIMEOUT_S, addresses_of, target_of
from tracebridge.doctor.findings import Outcome, Trouble
from tracebridge.doctor.looking import look
from tracebridge.doctor.probe import reach
from tracebridge.errors import TracebridgeError
from tracebridge.masking.foreign import clean
from tracebridge.plugins.receiver import ExaminableReceiver, Message
from tracebridge.plugins.registry import receiver_class
from tracebridge.relay.decoder import Decoder, UnreadableError
from tracebridge.settings.model import Settings


def examine_relay(settings: Settings) -> list[Outcome]:
    """Return what is found of the servers, and of each thing on them that a relay reads or writes. Never raises for what fails."""
    assert settings.relay is not None  # noqa: S101 - whoever asks has one
    kind, options = settings.relay.type, settings.relay.options
    first = Outcome(f"relay {kind}", kind, target_of(options))
    try:
        receiver: Any = receiver_class(kind)(options)
    except (TracebridgeError, ValueError, OSError, ImportError) as error:
        first.problem = Trouble("not-usable", clean(error), "see docs/kafka.md for what it needs")
        return [first]
    addresses = addresses_of(options, over_grpc=False)
    troubles = [reach(address, getattr(options, "tls", None), STEP_TIMEOUT_S, first.steps) for address in addresses]
    if addresses and all(troubles):  # one broker of several may be down
        first.problem = troubles[0]
        return [first]
    outcomes = [first]
    decoder = Decoder(settings.trace_ids.attribute)

    def trouble_with(message: Message) -> str:
        try:
            decoder.decode(message.value, message.encoding)
        except UnreadableError as error:
            return clean(error)
        return ""

    if isinstance(receiver, ExaminableReceiver):
        outcomes += look(receiver.examine(trouble_with), "relay", first, "check relay and its properties")
    return outcomes
