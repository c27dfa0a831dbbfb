/* OTLP JSON: the twin of `_span` in `tracebridge_adapters.formats.otlp.json`, as requests have it: NaN and infinities are text. */

#include "formats.h"
#include "json_text.h"

#include <math.h>

static bool put_any_value(Buffer *out, Reader *from);

static bool put_key_values(Buffer *out, Reader *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Value key;
        if (!read_value(from, &key))
            return false;
        i ? buffer_literal(out, ",{\"key\":") : buffer_literal(out, "{\"key\":");
        json_string(out, key.text);
        buffer_literal(out, ",\"value\":");
        if (!put_any_value(out, from))
            return false;
        buffer_byte(out, '}');
    }
    return true;
}

static bool put_real(Buffer *out, double number) {
    if (isnan(number))
        buffer_literal(out, "{\"stringValue\":\"NaN\"}");
    else if (isinf(number))
        number > 0 ? buffer_literal(out, "{\"stringValue\":\"Infinity\"}") : buffer_literal(out, "{\"stringValue\":\"-Infinity\"}");
    else {
        buffer_literal(out, "{\"doubleValue\":");
        if (!json_real(out, number))
            return false;
        buffer_byte(out, '}');
    }
    return true;
}

static bool put_any_value(Buffer *out, Reader *from) {
    Value value;
    if (!read_value(from, &value))
        return false;
    switch (value.kind) {
    case NIL: buffer_literal(out, "{}"); return true;
    case BOOLEAN:
        value.number ? buffer_literal(out, "{\"boolValue\":true}") : buffer_literal(out, "{\"boolValue\":false}");
        return true;
    case INTEGER:
        buffer_literal(out, "{\"intValue\":\"");
        json_integer(out, value.number);
        buffer_literal(out, "\"}");
        return true;
    case REAL: return put_real(out, value.real);
    case TEXT:
        buffer_literal(out, "{\"stringValue\":");
        json_string(out, value.text);
        buffer_byte(out, '}');
        return true;
    case BINARY:
        buffer_literal(out, "{\"bytesValue\":");
        json_base64(out, value.text);
        buffer_byte(out, '}');
        return true;
    case LIST:
        buffer_literal(out, "{\"arrayValue\":{\"values\":[");
        for (size_t i = 0; i < value.count; i++) {
            if (i)
                buffer_byte(out, ',');
            if (!put_any_value(out, from)) /* no deeper than `check_value` allowed */
                return false;
        }
        buffer_literal(out, "]}}");
        return true;
    case MAP:
        buffer_literal(out, "{\"kvlistValue\":{\"values\":[");
        if (!put_key_values(out, from, value.count))
            return false;
        buffer_literal(out, "]}}");
        return true;
    default: return false;
    }
}

static bool put_pair(const Pair *pair, Context *context) {
    Buffer *out = context->out, *scratch = context->scratch;
    Reader value = pair->value;
    buffer_literal(out, "{\"key\":");
    json_string(out, pair->key);
    buffer_literal(out, ",\"value\":");
    if (pair->how == AS_IS && pair->text.data == NULL) {
        if (!put_any_value(out, &value))
            return false;
    } else {
        Text text = pair->text;
        if (pair->how == AS_JSON) {
            scratch->size = 0;
            if (!json_value(scratch, &value))
                return false;
            text = (Text){scratch->data, scratch->size};
        }
        buffer_literal(out, "{\"stringValue\":");
        json_string(out, text);
        buffer_byte(out, '}');
    }
    buffer_byte(out, '}');
    return true;
}

static bool put_attributes(Buffer *out, Reader *from) {
    Value map;
    if (!read_value(from, &map))
        return false;
    if (map.count == 0)
        return true;
    buffer_literal(out, ",\"attributes\":[");
    if (!put_key_values(out, from, map.count))
        return false;
    buffer_byte(out, ']');
    return true;
}

#define PUT_COUNT(out, name, count) (buffer_literal(out, ",\"" name "\":"), json_integer(out, count))

static bool put_events(Buffer *out, Reader events) {
    Value list, field;
    if (events.at == events.end)
        return true;
    if (!read_value(&events, &list))
        return false;
    buffer_literal(out, ",\"events\":[");
    for (size_t i = 0; i < list.count; i++) {
        Value name, time_ns;
        if (!read_value(&events, &field) || !read_value(&events, &name) || !read_value(&events, &time_ns))
            return false;
        i ? buffer_literal(out, ",{\"timeUnixNano\":\"") : buffer_literal(out, "{\"timeUnixNano\":\"");
        json_integer(out, time_ns.number);
        buffer_literal(out, "\",\"name\":");
        json_string(out, name.text);
        if (!put_attributes(out, &events) || !read_value(&events, &field))
            return false;
        if (field.number)
            PUT_COUNT(out, "droppedAttributesCount", field.number);
        buffer_byte(out, '}');
    }
    buffer_byte(out, ']');
    return true;
}

static bool put_links(Buffer *out, Reader links) {
    Value list, field;
    if (links.at == links.end)
        return true;
    if (!read_value(&links, &list))
        return false;
    buffer_literal(out, ",\"links\":[");
    for (size_t i = 0; i < list.count; i++) {
        Value trace_id, span_id, state;
        if (!read_value(&links, &field) || !read_value(&links, &trace_id) || !read_value(&links, &span_id) ||
            !read_value(&links, &state))
            return false;
        i ? buffer_literal(out, ",{\"traceId\":\"") : buffer_literal(out, "{\"traceId\":\"");
        json_hex(out, trace_id.text.data, trace_id.text.size);
        buffer_literal(out, "\",\"spanId\":\"");
        json_hex(out, span_id.text.data, span_id.text.size);
        buffer_byte(out, '"');
        if (state.text.size) {
            buffer_literal(out, ",\"traceState\":");
            json_string(out, state.text);
        }
        if (!put_attributes(out, &links) || !read_value(&links, &field))
            return false;
        if (field.number)
            PUT_COUNT(out, "droppedAttributesCount", field.number);
        if (!read_value(&links, &field))
            return false;
        if (field.number)
            PUT_COUNT(out, "flags", field.number & 0xffffffff);
        buffer_byte(out, '}');
    }
    buffer_byte(out, ']');
    return true;
}

static void put_status(Buffer *out, const Record *record) {
    buffer_literal(out, ",\"status\":{");
    if (record->status_message.size) {
        buffer_literal(out, "\"message\":");
        json_string(out, record->status_message);
        buffer_byte(out, ',');
    }
    if (record->status_message.size || record->status) {
        buffer_literal(out, "\"code\":");
        json_integer(out, record->status);
    }
    buffer_byte(out, '}');
}

Outcome otlp_json_span(const Record *record, const Pairs *pairs, Context *context) {
    Buffer *out = context->out;
    buffer_literal(out, "{\"traceId\":\"");
    json_hex(out, record->trace_id, 16);
    buffer_literal(out, "\",\"spanId\":\"");
    json_hex(out, record->span_id, 8);
    if (record->trace_state.size) {
        buffer_literal(out, "\",\"traceState\":\"");
        json_characters(out, record->trace_state);
    }
    if (record->parent_id != NULL) {
        buffer_literal(out, "\",\"parentSpanId\":\"");
        json_hex(out, record->parent_id, 8);
    }
    buffer_literal(out, "\",\"name\":");
    json_string(out, record->name);
    buffer_literal(out, ",\"kind\":");
    json_integer(out, record->kind);
    buffer_literal(out, ",\"startTimeUnixNano\":\"");
    json_integer(out, record->start_ns);
    buffer_literal(out, "\",\"endTimeUnixNano\":\"");
    json_integer(out, record->end_ns);
    buffer_byte(out, '"');
    for (size_t i = 0; i < pairs->count; i++) {
        i ? buffer_byte(out, ',') : buffer_literal(out, ",\"attributes\":[");
        if (!put_pair(&pairs->items[i], context))
            return UNUSUAL;
    }
    if (pairs->count)
        buffer_byte(out, ']');
    if (!put_events(out, record->events) || !put_links(out, record->links))
        return UNUSUAL;
    if (record->dropped_attributes || record->dropped_events || record->dropped_links) {
        PUT_COUNT(out, "droppedAttributesCount", record->dropped_attributes);
        PUT_COUNT(out, "droppedEventsCount", record->dropped_events);
        PUT_COUNT(out, "droppedLinksCount", record->dropped_links);
    }
    put_status(out, record);
    PUT_COUNT(out, "flags", 0x100 | (record->parent_is_remote ? 0x200 : 0) | (record->flags & 0xff));
    buffer_byte(out, '}');
    return DONE;
}
