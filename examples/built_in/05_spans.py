"""What replaces a `traced_span` helper: `client.span`, with `with` and with `async with`, for tasks and for threads."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tracebridge import Client


async def step(client: Client, name: str) -> None:
    async with client.span(name):  # each task has its own current span
        await asyncio.sleep(0.001)
        async with client.span(f"{name}_1"):
            await asyncio.sleep(0.001)


async def steps(client: Client) -> None:
    async with client.trace("tasks"):
        await asyncio.gather(step(client, "step_1"), step(client, "step_2"))


def threads(client: Client) -> None:
    def work(number: int) -> None:
        with client.span(
            f"job_{number}", parent=root
        ):  # a new thread starts without a current span: say whose child it is
            pass

    with client.trace("threads") as root, ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))


with Client() as client:
    asyncio.run(steps(client))
    threads(client)
    for trace in client.search_traces(order_by=["timestamp_ms ASC"]):
        names = {span.span_id: span.name for span in trace.data.spans}
        print([f"{names.get(span.parent_id or '', '')}/{span.name}" for span in trace.data.spans])
