/* OTLP protobuf: the twin of `_span` in `tracebridge_adapters.formats.otlp.protobuf`. */

#include "formats.h"
#include "json_text.h"

#include <math.h>

static void put_varint(Buffer *out, uint64_t number) {
    uint8_t bytes[10];
    size_t size = 0;
    for (; number > 0x7f; number >>= 7)
        bytes[size++] = (uint8_t)(number | 0x80);
    bytes[size++] = (uint8_t)number;
    buffer_put(out, bytes, size);
}

static void put_little_endian(Buffer *out, uint64_t number, size_t size) {
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++, number >>= 8)
        bytes[i] = (uint8_t)number;
    buffer_put(out, bytes, size);
}

static void put_bytes(Buffer *out, uint8_t tag, const uint8_t *data, size_t size) {
    if (size > 0x7f) {
        buffer_byte(out, tag);
        put_varint(out, size);
        buffer_put(out, data, size);
        return;
    }
    uint8_t *to = buffer_more(out, 2 + size);
    if (to == NULL)
        return;
    to[0] = tag;
    to[1] = (uint8_t)size;
    if (size)
        memcpy(to + 2, data, size);
    out->size += 2 + size;
}

static void put_text(Buffer *out, uint8_t tag, Text text) {
    put_bytes(out, tag, text.data, text.size);
}

/* A message whose length is known once it is written: most take one byte to say it, and only others are moved. */
static size_t begin_message(Buffer *out, uint8_t tag) {
    buffer_put(out, (const uint8_t[]){tag, 0}, 2);
    return out->size;
}

static void end_message(Buffer *out, size_t start) {
    if (out->failed)
        return;
    size_t size = out->size - start, more = 0;
    for (size_t rest = size; rest > 0x7f; rest >>= 7)
        more++;
    if (more) {
        if (buffer_more(out, more) == NULL)
            return;
        memmove(out->data + start + more, out->data + start, size);
    }
    for (size_t i = 0; i < more; i++, size >>= 7)
        out->data[start - 1 + i] = (uint8_t)(size | 0x80);
    out->data[start - 1 + more] = (uint8_t)size;
    out->size += more;
}

static bool put_any_value(Buffer *out, uint8_t tag, Reader *from);

static bool put_items(Buffer *out, Reader *from, const Value *container) {
    size_t all = begin_message(out, container->kind == LIST ? 0x2a : 0x32);
    for (size_t i = 0; i < container->count; i++) {
        if (container->kind == LIST) {
            if (!put_any_value(out, 0x0a, from))
                return false;
            continue;
        }
        Value key;
        size_t pair = begin_message(out, 0x0a);
        if (!read_value(from, &key))
            return false;
        put_text(out, 0x0a, key.text);
        if (!put_any_value(out, 0x12, from))
            return false;
        end_message(out, pair);
    }
    end_message(out, all);
    return true;
}

static bool put_real(Buffer *out, double number) {
    uint64_t bits;
    if (isfinite(number)) {
        memcpy(&bits, &number, sizeof bits);
        buffer_byte(out, 0x21);
        put_little_endian(out, bits, 8);
        return true;
    }
    const char *text = isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
    put_bytes(out, 0x0a, (const uint8_t *)text, strlen(text));
    return true;
}

static bool put_any_value(Buffer *out, uint8_t tag, Reader *from) {
    Value value;
    size_t start = begin_message(out, tag);
    if (!read_value(from, &value) || value.kind == BIG)
        return false;
    switch (value.kind) {
    case BOOLEAN: buffer_put(out, (const uint8_t[]){0x10, (uint8_t)value.number}, 2); break;
    case INTEGER:
        buffer_byte(out, 0x18);
        put_varint(out, (uint64_t)value.number);
        break;
    case REAL: put_real(out, value.real); break;
    case TEXT: put_text(out, 0x0a, value.text); break;
    case BINARY: put_text(out, 0x3a, value.text); break;
    case LIST:
    case MAP:
        if (!put_items(out, from, &value)) /* no deeper than `check_value` allowed */
            return false;
        break;
    default: break; /* nil is the empty value */
    }
    end_message(out, start);
    return true;
}

static bool put_pair(const Pair *pair, Context *context) {
    Buffer *out = context->out, *scratch = context->scratch;
    Reader value = pair->value;
    size_t start = begin_message(out, 0x4a);
    put_text(out, 0x0a, pair->key);
    if (pair->how == AS_IS && pair->text.data == NULL) {
        if (!put_any_value(out, 0x12, &value))
            return false;
    } else {
        Text text = pair->text;
        if (pair->how == AS_JSON) {
            scratch->size = 0;
            if (!json_value(scratch, &value))
                return false;
            text = (Text){scratch->data, scratch->size};
        }
        size_t any = begin_message(out, 0x12);
        put_text(out, 0x0a, text);
        end_message(out, any);
    }
    end_message(out, start);
    return true;
}

static bool put_map(Buffer *out, uint8_t tag, Reader *from) {
    Value map, key;
    if (!read_value(from, &map))
        return false;
    for (size_t i = 0; i < map.count; i++) {
        size_t pair = begin_message(out, tag);
        if (!read_value(from, &key))
            return false;
        put_text(out, 0x0a, key.text);
        if (!put_any_value(out, 0x12, from))
            return false;
        end_message(out, pair);
    }
    return true;
}

static void put_count(Buffer *out, uint8_t tag, int64_t count) {
    if (count) {
        buffer_byte(out, tag);
        put_varint(out, (uint64_t)count);
    }
}

static bool put_events(Buffer *out, Reader events) {
    Value list, field;
    if (events.at == events.end)
        return true;
    if (!read_value(&events, &list))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        Value name, time_ns;
        size_t start = begin_message(out, 0x5a);
        if (!read_value(&events, &field) || !read_value(&events, &name) || !read_value(&events, &time_ns))
            return false;
        buffer_byte(out, 0x09);
        put_little_endian(out, (uint64_t)time_ns.number, 8);
        put_text(out, 0x12, name.text);
        if (!put_map(out, 0x1a, &events) || !read_value(&events, &field))
            return false;
        put_count(out, 0x20, field.number);
        end_message(out, start);
    }
    return true;
}

static bool put_links(Buffer *out, Reader links) {
    Value list, field;
    if (links.at == links.end)
        return true;
    if (!read_value(&links, &list))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        Value trace_id, span_id, state;
        size_t start = begin_message(out, 0x6a);
        if (!read_value(&links, &field) || !read_value(&links, &trace_id) || !read_value(&links, &span_id) ||
            !read_value(&links, &state))
            return false;
        put_text(out, 0x0a, trace_id.text);
        put_text(out, 0x12, span_id.text);
        if (state.text.size)
            put_text(out, 0x1a, state.text);
        if (!put_map(out, 0x22, &links) || !read_value(&links, &field))
            return false;
        put_count(out, 0x28, field.number);
        if (!read_value(&links, &field))
            return false;
        if (field.number) {
            buffer_byte(out, 0x35);
            put_little_endian(out, (uint64_t)field.number & 0xffffffff, 4);
        }
        end_message(out, start);
    }
    return true;
}

static void put_status(Buffer *out, const Record *record) {
    if (!record->status_message.size && !record->status)
        return;
    size_t start = begin_message(out, 0x7a);
    if (record->status_message.size)
        put_text(out, 0x12, record->status_message);
    if (record->status)
        buffer_put(out, (const uint8_t[]){0x18, (uint8_t)record->status}, 2);
    end_message(out, start);
}

Outcome otlp_protobuf_span(const Record *record, const Pairs *pairs, Context *context) {
    Buffer *out = context->out;
    size_t start = begin_message(out, 0x12);
    put_bytes(out, 0x0a, record->trace_id, 16);
    put_bytes(out, 0x12, record->span_id, 8);
    if (record->trace_state.size)
        put_text(out, 0x1a, record->trace_state);
    if (record->parent_id != NULL)
        put_bytes(out, 0x22, record->parent_id, 8);
    if (record->name.size)
        put_text(out, 0x2a, record->name);
    buffer_put(out, (const uint8_t[]){0x30, (uint8_t)record->kind, 0x39}, 3);
    put_little_endian(out, (uint64_t)record->start_ns, 8);
    buffer_byte(out, 0x41);
    put_little_endian(out, (uint64_t)record->end_ns, 8);
    for (size_t i = 0; i < pairs->count; i++)
        if (!put_pair(&pairs->items[i], context))
            return UNUSUAL;
    put_count(out, 0x50, record->dropped_attributes);
    if (!put_events(out, record->events))
        return UNUSUAL;
    put_count(out, 0x60, record->dropped_events);
    if (!put_links(out, record->links))
        return UNUSUAL;
    put_count(out, 0x70, record->dropped_links);
    put_status(out, record);
    uint32_t flags = 0x100 | (record->parent_is_remote ? 0x200 : 0) | (uint32_t)(record->flags & 0xff);
    buffer_put(out, (const uint8_t[]){0x85, 0x01}, 2);
    put_little_endian(out, flags, 4);
    end_message(out, start);
    return DONE;
}
