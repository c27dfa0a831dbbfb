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

typedef struct {
    Buffer *out;
    Buffer *scratch;
    const Source *source;
} Context;

/* Add a span to `out`. UNUSUAL: what is there of it by then is to be taken off again. */
typedef Outcome (*Format)(const Record *record, const Pairs *pairs, Context *context);

Outcome otlp_protobuf_span(const Record *record, const Pairs *pairs, Context *context);
Outcome otlp_json_span(const Record *record, const Pairs *pairs, Context *context);
Outcome zipkin_json_span(const Record *record, const Pairs *pairs, Context *context);

#endif
