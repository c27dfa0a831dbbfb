"""Attributes that help whoever debugs, under MLflow 3's names for the IDs. For MLflow: `from mlflow import MlflowClient`."""

from tracebridge import Client as MlflowClient

client = MlflowClient()
root = client.start_trace("answer", inputs={"question": "What is a span?"})
span = client.start_span(
    name="llm_call",
    trace_id=root.trace_id,
    parent_id=root.span_id,
    span_type="LLM",
    attributes={
        "model": "gpt-4",
        "temperature": 0.7,
        "max_tokens": 1000,
        "prompt_template": "rag_v2",
        "user_tier": "premium",
    },
)
client.end_span(trace_id=root.trace_id, span_id=span.span_id, outputs="A piece of work with a start and an end.")
client.end_trace(trace_id=root.trace_id)
print("numbers stay numbers, and a count of tokens is not a secret")
