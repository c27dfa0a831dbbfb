/* Zipkin JSON: the twin of `_span` in `tracebridge_adapters.formats.zipkin.json`, for spans whose tags are their own and their resource's. Errors, links, events,
   and callers that tell of the other side are the Python code's. */

#include "formats.h"
#include "json_text.h"

#include <math.h>

enum { SERVER = 2, CLIENT = 3, PRODUCER = 4, CONSUMER = 5, OK = 1, ERROR = 2 };

static bool is_one_of(Text name, const Texts *names) {
    for (size_t i = 0; i < names->count; i++)
        if (same_text(name, names->items[i]))
            return true;
    return false;
}

static bool is_plain(const Record *record, const Pairs *pairs, const Source *source) {
    bool is_caller = record->kind == CLIENT || record->kind == PRODUCER;
    if (!source->is_simple || record->status == ERROR || record->start_ns < 1000 || record->trace_state.size || record->events.at != record->events.end ||
        record->links.at != record->links.end || record->dropped_attributes || record->dropped_events || record->dropped_links ||
        record->debug || record->shared)
        return false;
    for (size_t i = 0; i < pairs->count; i++)
        if (is_one_of(pairs->items[i].key, &source->reserved) || (is_caller && is_one_of(pairs->items[i].key, &source->peers)))
            return false;
    return true;
}

/* A value as text, quoted: text as it is, truth values as true and false, the rest as JSON. */
static bool put_tag_value(const Pair *pair, Context *context) {
    Buffer *scratch = context->scratch;
    Reader from = pair->value;
    Value value = {.kind = TEXT, .text = pair->text};
    if (pair->text.data == NULL && !read_value(&from, &value))
        return false;
    if (pair->how == AS_IS && value.kind == TEXT) {
        json_string(context->out, value.text);
        return true;
    }
    scratch->size = 0;
    from = pair->value;
    if (!json_value(scratch, &from))
        return false;
    if (scratch->failed)
        return true; /* whoever called sees it */
    Text text = {scratch->data, scratch->size};
    if (pair->how == AS_IS && value.kind == REAL && !isfinite(value.real)) /* the word, without the quotes of JSON */
        text = (Text){text.data + 1, text.size - 2};
    json_string(context->out, text);
    return true;
}

static bool is_nil(const Pair *pair) {
    return pair->text.data == NULL && *pair->value.at == 0xc0;
}

static bool put_tags(const Record *record, const Pairs *pairs, Context *context) {
    Buffer *out = context->out;
    Text rest = record->status == OK ? context->source->rest_if_ok : context->source->rest;
    bool begun = false;
    for (size_t i = 0; i < pairs->count; i++) {
        const Pair *pair = &pairs->items[i];
        if (is_nil(pair))
            continue;
        begun ? buffer_byte(out, ',') : buffer_literal(out, ",\"tags\":{");
        begun = true;
        json_string(out, pair->key);
        buffer_byte(out, ':');
        if (!put_tag_value(pair, context))
            return false;
    }
    if (!begun) {
        if (rest.size <= 1) /* the brace alone */
            return true;
        buffer_literal(out, ",\"tags\":{");
        rest = (Text){rest.data + 1, rest.size - 1};
    }
    buffer_put(out, rest.data, rest.size);
    return true;
}

static void put_kind(Buffer *out, int64_t kind) {
    switch (kind) {
    case SERVER: buffer_literal(out, ",\"kind\":\"SERVER\""); break;
    case CLIENT: buffer_literal(out, ",\"kind\":\"CLIENT\""); break;
    case PRODUCER: buffer_literal(out, ",\"kind\":\"PRODUCER\""); break;
    case CONSUMER: buffer_literal(out, ",\"kind\":\"CONSUMER\""); break;
    default: break;
    }
}

Outcome zipkin_json_span(const Record *record, const Pairs *pairs, Context *context) {
    Buffer *out = context->out;
    if (!is_plain(record, pairs, context->source))
        return UNUSUAL;
    int64_t duration_us = (record->end_ns - record->start_ns) / 1000;
    buffer_literal(out, "{\"traceId\":\"");
    json_hex(out, record->trace_id, 16);
    buffer_literal(out, "\",\"id\":\"");
    json_hex(out, record->span_id, 8);
    if (record->parent_id != NULL && memcmp(record->parent_id, record->span_id, 8) != 0) {
        buffer_literal(out, "\",\"parentId\":\"");
        json_hex(out, record->parent_id, 8);
    }
    buffer_literal(out, "\",\"name\":");
    json_string(out, record->name);
    buffer_literal(out, ",\"timestamp\":");
    json_integer(out, record->start_ns / 1000);
    buffer_literal(out, ",\"duration\":");
    json_integer(out, duration_us ? duration_us : 1); /* 0 means that it is not told */
    buffer_put(out, context->source->local.data, context->source->local.size);
    put_kind(out, record->kind);
    if (!put_tags(record, pairs, context))
        return UNUSUAL;
    buffer_byte(out, '}');
    return DONE;
}
