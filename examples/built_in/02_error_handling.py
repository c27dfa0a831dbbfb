"""An exception is recorded on every span that it leaves, with its type, message and stack, and goes on to the caller."""

from tracebridge import Client


def operation(client: Client, rows: list[int]) -> float:
    with client.trace("risky_operation") as root:
        with client.span("database_query") as query:
            mean = sum(rows) / len(rows)
            query.set_outputs({"result": mean})
        root.set_outputs({"status": "completed"})
        return mean


with Client() as client:
    print(f"one operation completed: {operation(client, [1, 2, 3])}")
    try:
        operation(client, [])
    except ZeroDivisionError as error:
        print(f"one failed: {error}")
    (failed,) = client.search_traces(filter_string="status = 'ERROR'")
    for span in failed.data.spans:
        print(f"{span.name}: {span.status.description}, {span.events[0].attributes['exception.type']}")
