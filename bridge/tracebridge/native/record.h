/* A record as the journal keeps it, its fields found but not copied. */

#ifndef TRACEBRIDGE_RECORD_H
#define TRACEBRIDGE_RECORD_H

#include "msgpack.h"

typedef struct {
    const uint8_t *trace_id, *span_id, *parent_id; /* 16, 8 and 8 bytes; no parent is NULL */
    Text name;
    int64_t start_ns, end_ns; /* 0 <= start <= end, or the record is `unusual` */
    int64_t kind, status;
    Reader attributes; /* a map, and what is in it */
    Text span_type, custom_trace_id, end_cause, opened_at, status_message; /* a text that is not there has no data */
    Reader inputs, outputs; /* a value; one that is not there is empty */
    Reader events, links, tags;
    Text id_scheme, trace_state;
    int64_t flags;
    bool parent_is_remote, debug, shared;
    int64_t dropped_attributes, dropped_events, dropped_links, truncated, redacted, repaired;
    Text experiment_id, custom_span_id, span_id_scheme;
    bool has_scope;
    Reader source; /* a scope and a resource, one behind the other; empty where both are nil */
    bool unusual;    /* it can be read, and only the Python code knows what to make of it */
} Record;

/* Read a record and check all of it. False: the Python code has to say whether it can be read at all. */
bool read_record(const uint8_t *data, size_t size, Record *record);

/* Read a record whose texts were checked before. */
bool read_checked_record(const uint8_t *data, size_t size, Record *record);

#endif
