/* MessagePack -> Record: the fields of `tracebridge.records.record.SpanRecord` in their order. */

#include "record.h"

#include <string.h>

#define FIRST_OPTIONAL 6 /* fields that every record has */
#define FIELDS 36

static bool text_field(Reader *from, bool optional, Text *text) {
    Value value;
    if (!read_value(from, &value))
        return false;
    if (value.kind == NIL)
        return optional;
    *text = value.text;
    return value.kind == TEXT && (from->is_checked || is_utf8(value.text));
}

static bool id_field(Reader *from, size_t size, const uint8_t **id) {
    Value value;
    if (!read_value(from, &value) || value.kind != BINARY)
        return false;
    *id = value.text.data;
    return value.text.size == size;
}

static bool integer_field(Reader *from, Record *record, int64_t *number) {
    Value value;
    if (!read_value(from, &value) || (value.kind != INTEGER && value.kind != BIG))
        return false;
    record->unusual |= value.kind == BIG || value.number < 0;
    *number = value.number;
    return true;
}

static bool boolean_field(Reader *from, bool *truth) {
    Value value;
    if (!read_value(from, &value) || value.kind != BOOLEAN)
        return false;
    *truth = value.number != 0;
    return true;
}

/* A value with all that is in it; nil is an empty one. */
static bool value_field(Reader *from, Reader *value) {
    *value = *from;
    if (!check_value(from, MAX_DEPTH))
        return false;
    value->is_checked = true;
    value->end = *value->at == 0xc0 ? value->at : from->at;
    return true;
}

static bool map_field(Reader *from, Reader *map) {
    Reader ahead = *from;
    Value value;
    return read_value(&ahead, &value) && value.kind == MAP && value_field(from, map);
}

static bool tags_field(Reader *from, Reader *tags) {
    Reader ahead = *from;
    Value map;
    if (!read_value(&ahead, &map) || map.kind != MAP || !value_field(from, tags))
        return false;
    for (size_t i = 0; i < 2 * map.count; i++) {
        Value text;
        if (!read_value(&ahead, &text) || text.kind != TEXT)
            return false;
    }
    return true;
}

/* [name, time_ns, attributes, dropped_attributes], the last two with defaults that our encoder writes all the same. */
static bool check_event(Reader *from, Record *record) {
    Value list;
    Text name;
    int64_t number;
    Reader attributes;
    return read_value(from, &list) && list.kind == LIST && list.count == 4 && text_field(from, false, &name) &&
           integer_field(from, record, &number) && map_field(from, &attributes) && integer_field(from, record, &number);
}

/* [trace_id, span_id, trace_state, attributes, dropped_attributes, flags] */
static bool check_link(Reader *from, Record *record) {
    Value list;
    const uint8_t *id;
    Text state;
    int64_t number;
    Reader attributes;
    return read_value(from, &list) && list.kind == LIST && list.count == 6 && id_field(from, 16, &id) &&
           id_field(from, 8, &id) && text_field(from, false, &state) && map_field(from, &attributes) &&
           integer_field(from, record, &number) && integer_field(from, record, &number);
}

static bool list_field(Reader *from, Record *record, bool (*check)(Reader *, Record *), Reader *items) {
    Value list;
    *items = *from;
    if (!read_value(from, &list) || list.kind != LIST)
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (!check(from, record))
            return false;
    items->is_checked = true;
    items->end = list.count ? from->at : items->at;
    return true;
}

static bool is_nil(const Reader *from) {
    return from->at < from->end && *from->at == 0xc0;
}

/* [name, version, attributes, schema_url], or nil */
static bool scope_field(Reader *from, Record *record) {
    Value list;
    Text text;
    Reader attributes;
    record->source = *from;
    record->source.end = from->at;
    record->has_scope = !is_nil(from);
    if (!read_value(from, &list))
        return false;
    return list.kind == NIL || (list.kind == LIST && list.count == 4 && text_field(from, false, &text) && text_field(from, false, &text) &&
                                map_field(from, &attributes) && text_field(from, false, &text));
}

/* [attributes, schema_url], or nil */
static bool resource_field(Reader *from, Record *record) {
    Value list;
    Text text;
    Reader attributes;
    bool has_source = record->has_scope || !is_nil(from);
    if (!read_value(from, &list))
        return false;
    if (list.kind != NIL &&
        (list.kind != LIST || list.count != 2 || !map_field(from, &attributes) || !text_field(from, false, &text)))
        return false;
    if (has_source)
        record->source.end = from->at;
    return true;
}

static bool parent_field(Reader *from, const uint8_t **parent) {
    if (is_nil(from)) {
        from->at++;
        return true;
    }
    return id_field(from, 8, parent);
}

static bool read_field(Reader *from, size_t number, Record *r) {
    switch (number) {
    case 0: return id_field(from, 16, &r->trace_id);
    case 1: return id_field(from, 8, &r->span_id);
    case 2: return parent_field(from, &r->parent_id);
    case 3: return text_field(from, false, &r->name);
    case 4: return integer_field(from, r, &r->start_ns);
    case 5: return integer_field(from, r, &r->end_ns);
    case 6: return integer_field(from, r, &r->kind);
    case 7: return integer_field(from, r, &r->status);
    case 8: return map_field(from, &r->attributes);
    case 9: return text_field(from, false, &r->span_type);
    case 10: return text_field(from, true, &r->custom_trace_id);
    case 11: return text_field(from, false, &r->end_cause);
    case 12: return text_field(from, false, &r->opened_at);
    case 13: return text_field(from, false, &r->status_message);
    case 14: return value_field(from, &r->inputs);
    case 15: return value_field(from, &r->outputs);
    case 16: return list_field(from, r, check_event, &r->events);
    case 17: return list_field(from, r, check_link, &r->links);
    case 18: return tags_field(from, &r->tags);
    case 19: return text_field(from, true, &r->id_scheme);
    case 20: return text_field(from, false, &r->trace_state);
    case 21: return integer_field(from, r, &r->flags);
    case 22: return boolean_field(from, &r->parent_is_remote);
    case 23: return boolean_field(from, &r->debug);
    case 24: return boolean_field(from, &r->shared);
    case 25: return integer_field(from, r, &r->dropped_attributes);
    case 26: return integer_field(from, r, &r->dropped_events);
    case 27: return integer_field(from, r, &r->dropped_links);
    case 28: return integer_field(from, r, &r->truncated);
    case 29: return integer_field(from, r, &r->redacted);
    case 30: return integer_field(from, r, &r->repaired);
    case 31: return text_field(from, false, &r->experiment_id);
    case 32: return scope_field(from, r);
    case 33: return resource_field(from, r);
    case 34: return text_field(from, true, &r->custom_span_id);
    case 35: return text_field(from, true, &r->span_id_scheme);
    default: return false;
    }
}

static bool read_all(Reader from, Record *record) {
    Value list;
    *record = (Record){
        .kind = 1,
        .flags = 1,
        .span_type = {(const uint8_t *)"UNKNOWN", 7},
        .end_cause = {(const uint8_t *)"finished", 8},
    };
    if (!read_value(&from, &list) || list.kind != LIST || list.count < FIRST_OPTIONAL || list.count > FIELDS)
        return false;
    for (size_t number = 0; number < list.count; number++)
        if (!read_field(&from, number, record))
            return false;
    if (list.count == 33 && record->has_scope) /* a scope, and no resource behind it: none of ours writes that */
        return false;
    record->unusual |= record->end_ns < record->start_ns || record->kind > 5 || record->status > 2;
    return from.at == from.end;
}

bool read_record(const uint8_t *data, size_t size, Record *record) {
    return read_all((Reader){data, data + size, false}, record);
}

bool read_checked_record(const uint8_t *data, size_t size, Record *record) {
    return read_all((Reader){data, data + size, true}, record);
}
