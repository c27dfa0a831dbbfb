/* The twin of `tracebridge_adapters.dialects.attributes_of`. Names that collide are its business: here they are UNUSUAL. */

#include "native.h"
#include "shown.h"

#include <string.h>

#define MAX_ADDED 48 /* of ours and tags: each is compared with every attribute */

bool same_text(Text one, Text other) {
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static Outcome add(Pairs *pairs, Pair pair) {
    if (pairs->count == pairs->room) {
        size_t room = pairs->room ? pairs->room * 2 : 64;
        Pair *items = room > PY_SSIZE_T_MAX / sizeof(Pair) ? NULL : PyMem_RawRealloc(pairs->items, room * sizeof(Pair));
        if (items == NULL)
            return NO_MEMORY;
        pairs->items = items;
        pairs->room = room;
    }
    pairs->items[pairs->count++] = pair;
    return DONE;
}

/* Add one of ours: there is room, and no other of that name. */
static Outcome add_own(Pairs *pairs, Pair pair) {
    if (pairs->count >= MAX_ADDED)
        return UNUSUAL;
    for (size_t i = 0; i < pairs->count; i++)
        if (same_text(pairs->items[i].key, pair.key))
            return UNUSUAL;
    return add(pairs, pair);
}

static Outcome add_text(Pairs *pairs, Text key, Text text) {
    return add_own(pairs, (Pair){.key = key, .text = text});
}

static bool is_there(Text text) {
    return text.data != NULL;
}

typedef struct {
    Text type, name;
} Named;

static Text name_of(Text type, const Named *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (same_text(type, names[i].type))
            return names[i].name;
    return (Text){0};
}

#define NAMED(type, name) {{(const uint8_t *)(type), sizeof(type) - 1}, {(const uint8_t *)(name), sizeof(name) - 1}}

static const Named OPENINFERENCE_KINDS[] = {
    NAMED("LLM", "LLM"),           NAMED("CHAT_MODEL", "LLM"),       NAMED("CHAIN", "CHAIN"),
    NAMED("WORKFLOW", "CHAIN"),    NAMED("TASK", "CHAIN"),           NAMED("AGENT", "AGENT"),
    NAMED("TOOL", "TOOL"),         NAMED("RETRIEVER", "RETRIEVER"),  NAMED("EMBEDDING", "EMBEDDING"),
    NAMED("RERANKER", "RERANKER"), NAMED("GUARDRAIL", "GUARDRAIL"),  NAMED("EVALUATOR", "EVALUATOR"),
};
static const Named GENAI_OPERATIONS[] = {
    NAMED("LLM", "text_completion"), NAMED("CHAT_MODEL", "chat"),      NAMED("AGENT", "invoke_agent"),
    NAMED("TOOL", "execute_tool"),   NAMED("EMBEDDING", "embeddings"),
};
#define COUNT_OF(names) (sizeof(names) / sizeof(names[0]))

static Outcome add_payload(Pairs *pairs, Reader payload, Text key, Text mime_key) {
    Value value;
    Reader head = payload;
    if (payload.at == payload.end)
        return DONE;
    bool is_text = read_value(&head, &value) && value.kind == TEXT;
    Outcome outcome = add_own(pairs, (Pair){.key = key, .how = is_text ? AS_IS : AS_JSON, .value = payload});
    return outcome != DONE ? outcome : add_text(pairs, mime_key, is_text ? TEXT_OF("text/plain") : TEXT_OF("application/json"));
}

static Outcome add_openinference(const Record *record, Dialect dialect, Pairs *pairs) {
    Outcome outcome = DONE;
    if (!same_text(record->span_type, TEXT_OF("UNKNOWN"))) {
        Text kind = name_of(record->span_type, OPENINFERENCE_KINDS, COUNT_OF(OPENINFERENCE_KINDS));
        if (is_there(kind))
            outcome = add_text(pairs, TEXT_OF("openinference.span.kind"), kind);
        if (outcome == DONE)
            outcome = add_text(pairs, TEXT_OF("tracebridge.span_type"), record->span_type);
    }
    if (outcome == DONE)
        outcome = add_payload(pairs, record->inputs, TEXT_OF("input.value"), TEXT_OF("input.mime_type"));
    if (outcome == DONE)
        outcome = add_payload(pairs, record->outputs, TEXT_OF("output.value"), TEXT_OF("output.mime_type"));
    Text operation = name_of(record->span_type, GENAI_OPERATIONS, COUNT_OF(GENAI_OPERATIONS));
    if (outcome == DONE && dialect == GENAI && is_there(operation))
        outcome = add_text(pairs, TEXT_OF("gen_ai.operation.name"), operation);
    return outcome;
}

static Outcome add_mlflow_payload(Pairs *pairs, Reader payload, Text key) {
    Value value;
    Reader head = payload;
    if (payload.at == payload.end)
        return DONE;
    bool is_number = read_value(&head, &value) && (value.kind == INTEGER || value.kind == REAL || value.kind == BOOLEAN);
    return add_own(pairs, (Pair){.key = key, .how = is_number ? AS_IS : AS_JSON, .value = payload});
}

static Outcome add_mlflow(const Record *record, Pairs *pairs) {
    Outcome outcome = add_text(pairs, TEXT_OF("mlflow.spanType"), record->span_type);
    if (outcome == DONE)
        outcome = add_mlflow_payload(pairs, record->inputs, TEXT_OF("mlflow.spanInputs"));
    if (outcome == DONE)
        outcome = add_mlflow_payload(pairs, record->outputs, TEXT_OF("mlflow.spanOutputs"));
    if (outcome == DONE && record->experiment_id.size)
        outcome = add_text(pairs, TEXT_OF("mlflow.experimentId"), record->experiment_id);
    return outcome;
}

static Outcome add_ids(const Record *record, const Naming *naming, Pairs *pairs) {
    Outcome outcome = DONE;
    if (is_there(record->custom_trace_id)) {
        outcome = add_text(pairs, naming->trace_id_key, record->custom_trace_id);
        if (outcome == DONE && is_there(record->id_scheme))
            outcome = add_text(pairs, naming->scheme_key, record->id_scheme);
    }
    if (outcome == DONE && is_there(record->custom_span_id)) {
        outcome = add_text(pairs, TEXT_OF("tracebridge.span_id"), record->custom_span_id);
        if (outcome == DONE && is_there(record->span_id_scheme))
            outcome = add_text(pairs, TEXT_OF("tracebridge.span_id.scheme"), record->span_id_scheme);
    }
    return outcome;
}

/* Add what a map holds; `own` is how many of ours come first, or all: then each name is compared with every other. */
static Outcome add_map(Pairs *pairs, Reader map, bool is_own) {
    Value head, key;
    size_t own = pairs->count;
    if (map.at == map.end)
        return DONE;
    if (!read_value(&map, &head))
        return UNUSUAL;
    for (size_t i = 0; i < head.count; i++) {
        Pair pair = {0};
        if (!read_value(&map, &key))
            return UNUSUAL;
        pair.key = key.text;
        pair.value = map;
        if (!check_value(&map, MAX_DEPTH))
            return UNUSUAL;
        pair.value.end = map.at;
        for (size_t n = 0; !is_own && n < own; n++)
            if (same_text(pairs->items[n].key, pair.key))
                return UNUSUAL;
        Outcome outcome = is_own ? add_own(pairs, pair) : add(pairs, pair);
        if (outcome != DONE)
            return outcome;
    }
    return DONE;
}

Outcome show_attributes(const Record *record, const Naming *naming, Pairs *pairs) {
    bool has_tags = record->tags.at != record->tags.end && *record->tags.at != 0x80;
    pairs->count = 0;
    if (record->unusual || record->truncated || record->redacted || record->repaired ||
        !same_text(record->end_cause, TEXT_OF("finished")) || (has_tags && naming->dialect == MLFLOW))
        return UNUSUAL;
    Outcome outcome = add_ids(record, naming, pairs);
    if (outcome == DONE)
        outcome = naming->dialect == MLFLOW ? add_mlflow(record, pairs) : add_openinference(record, naming->dialect, pairs);
    if (outcome == DONE && has_tags)
        outcome = add_map(pairs, record->tags, true);
    return outcome == DONE ? add_map(pairs, record->attributes, false) : outcome;
}
