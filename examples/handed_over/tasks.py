"""A Celery worker: it sets what it finds out on the order's span, and has a span of its own below it.

celery -A tasks worker --pool solo
"""

import os
from pathlib import Path

from celery import Celery

from tracebridge import Client

folder = Path("queue").absolute()
for name in ("messages", "processed", "control"):
    (folder / name).mkdir(parents=True, exist_ok=True)
app = Celery("tasks", broker=os.environ.get("BROKER", "filesystem://"))
app.conf.broker_transport_options = {
    "data_folder_in": str(folder / "messages"),
    "data_folder_out": str(folder / "messages"),
    "processed_folder": str(folder / "processed"),
    "control_folder": str(folder / "control"),
}


@app.task
def pack(order_id: str) -> None:
    """Pack an order."""
    with Client(config="bridge.yaml") as client:
        with client.span("pack", order_id):
            pass
        client.shared_span(order_id).set_attribute("packed_by", "worker 7")
