"""One step of a saga: a process that may be killed at any instant, and is then run again, perhaps on another host.

    python step.py order-7 begin          opens the saga's span
    python step.py order-7 reserve        a step: a span below it, started once, however often the step is run
    python step.py order-7 finish         ends the saga

The spans live in PostgreSQL until they end. A step that was killed finds its own span where it left it.
"""

import sys
import time

from tracebridge import Client, DuplicateSpanError


def main(order: str, step: str) -> None:
    with Client(config="bridge.yaml") as client:
        if step == "finish":
            client.shared_span(order, f"{order}/saga").end()
            return
        name = "saga" if step == "begin" else step
        try:
            if step == "begin":
                span = client.start_trace(name, trace_id=order, span_id=f"{order}/{name}", shared=True)
            else:
                span = client.start_span(name, order, f"{order}/saga", span_id=f"{order}/{name}", shared=True)
        except DuplicateSpanError:  # an earlier run of this step was killed
            span = client.shared_span(order, f"{order}/{name}")
            span.set_attribute("resumed", True)
        print("started", flush=True)
        if step != "begin":
            time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0)  # the step's own work
            span.end(attributes={"done": True})


main(sys.argv[1], sys.argv[2])
