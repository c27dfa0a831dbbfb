"""Doubles and contract tests, for programs that trace and for those who write adapters, stages, schemes and sources. Nothing else imports this."""

from tracebridge.testing.client import memory_client as memory_client
from tracebridge.testing.client import records as records
from tracebridge.testing.contracts import AdapterContract as AdapterContract
from tracebridge.testing.contracts import SchemeContract as SchemeContract
from tracebridge.testing.contracts import StageContract as StageContract
from tracebridge.testing.doubles import Collected as Collected
from tracebridge.testing.doubles import SteppingClock as SteppingClock
from tracebridge.testing.doubles import counting_ids as counting_ids
from tracebridge.testing.samples import sample_records as sample_records
