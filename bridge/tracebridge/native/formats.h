/* The formats: one span of each, the twin of `_span` in the Python module of the same name. */

#ifndef TRACEBRIDGE_FORMATS_H
#define TRACEBRIDGE_FORMATS_H

#include "buffer.h"
#include "shown.h"

typedef struct {
    Text *items;
    size_t count;
} Texts;

/* What the spans of a batch have in common, encoded by the Python code; for Zipkin alone. */
typedef struct {
    Text local;           /* `,"localEndpoint":{…}` */
    Text rest_if_ok, rest; /* what follows a span's own tags, with the comma before it and the brace behind it */
    Texts reserved;       /* names that then must not be a span's */
    Texts peers;          /* names by which a caller tells of the other side */
    bool is_simple;       /* the resource is none that the Python code has to look at */
} Source;

/* What the span lines of a batch have in common, encoded by the Python code. */
typedef struct {
    Text service, root_resource, resource; /* a resource that is not on the line is empty */
    size_t max_name, max_line;             /* bytes */
} Lines;

typedef struct {
    Buffer *out;
    Buffer *scratch;
    const Source *source;
    const Lines *lines;
} Context;

/* Add a span to `out`. UNUSUAL: what is there of it by then is to be taken off again. */
typedef Outcome (*Format)(const Record *record, const Pairs *pairs, Context *context);

Outcome otlp_protobuf_span(const Record *record, const Pairs *pairs, Context *context);
Outcome otlp_json_span(const Record *record, const Pairs *pairs, Context *context);
Outcome zipkin_json_span(const Record *record, const Pairs *pairs, Context *context);
Outcome span_line(const Record *record, const Pairs *pairs, Context *context); /* needs no pairs */

#endif
