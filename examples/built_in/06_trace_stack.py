"""What replaces a trace-state manager: a stack that threads and asyncio tasks can share without seeing each other's spans."""

import asyncio

from tracebridge import Client, TraceStack


async def pipeline(stack: TraceStack, source: str) -> None:
    stack.push("pipeline", trace_id=f"pipeline-{source}", inputs={"source": source})
    stack.push("load")
    await asyncio.sleep(0.001)  # another task pushes and pops meanwhile
    stack.push("parse", inputs={"rows": 10})
    stack.pop(outputs={"rows": 10})
    stack.pop(outputs={"loaded": True})
    stack.pop(outputs={"stored": 10})


async def main(client: Client) -> None:
    stack = TraceStack(client)
    await asyncio.gather(pipeline(stack, "orders"), pipeline(stack, "returns"))


with Client() as client:
    asyncio.run(main(client))
    for trace in client.search_traces(order_by=["name ASC"]):
        print(trace.info.trace_id, [span.name for span in trace.data.spans])
