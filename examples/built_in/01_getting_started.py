"""One trace, two children: no IDs to carry, nothing to forget to end."""

from tracebridge import Client

with Client() as client:
    with client.trace(
        "my_application_flow",
        inputs={"user_id": "123", "action": "generate_report"},
        attributes={"environment": "production", "version": "1.0.0"},
    ) as root:
        with client.span("fetch_user_data", attributes={"database": "users_db"}) as span:
            span.set_outputs({"record_count": 42, "cache_hit": True})
        with client.span("process_data", inputs={"data_size": "1024KB"}) as span:
            span.set_outputs({"processed_records": 42, "errors": 0})
        root.set_outputs({"report_url": "https://example.com/report/123"})
    print(f"traced {root.trace_id}: {[span.name for span in client.get_trace(root.trace_id).data.spans]}")
