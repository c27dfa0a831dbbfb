/* What a destination shows as attributes of a span, in order: the twin of `tracebridge_adapters.dialects.attributes_of`. */

#ifndef TRACEBRIDGE_SHOWN_H
#define TRACEBRIDGE_SHOWN_H

#include "record.h"

typedef enum { OPENINFERENCE, MLFLOW, GENAI } Dialect;

typedef enum {
    AS_IS,  /* `value` is MessagePack */
    AS_JSON /* the same, shown as JSON text */
} How;

typedef struct {
    Text key;
    How how;
    Reader value; /* MessagePack; empty for a text of ours, which stands in `text` */
    Text text;
} Pair;

typedef struct {
    Pair *items;
    size_t count, room;
} Pairs;

typedef struct {
    Dialect dialect;
    Text trace_id_key, scheme_key; /* `trace_ids.attribute`, and the same with `.scheme` */
} Naming;

typedef enum { DONE, UNUSUAL, NO_MEMORY } Outcome;

/* Fill `pairs` anew. UNUSUAL: two of them would have the same name, or the span did not finish as most do. */
Outcome show_attributes(const Record *record, const Naming *naming, Pairs *pairs);

#define TEXT_OF(literal) ((Text){(const uint8_t *)(literal), sizeof(literal) - 1})

bool same_text(Text one, Text other);

#endif
