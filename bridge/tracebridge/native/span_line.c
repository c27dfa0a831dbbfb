/* Span lines: the twin of the short way of `Writer.encode` in `tracebridge_adapters.formats.spanlog.writer`, for common spans in ASCII. */

#include "formats.h"
#include "json_text.h"

#include <math.h>

static const char *const KINDS[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
static const char *const STATUSES[] = {"unset", "ok", "error"};
enum { ERROR = 2 };

static bool is_empty(Reader reader) {
    return reader.at == reader.end || *reader.at == 0x80; /* nothing, or an empty map */
}

/* The twin of `rare.is_common`. */
static bool is_common(const Record *r) {
    return r->events.at == r->events.end && r->links.at == r->links.end && !r->status_message.size &&
           same_text(r->span_type, TEXT_OF("UNKNOWN")) && same_text(r->end_cause, TEXT_OF("finished")) &&
           r->id_scheme.data == NULL && r->custom_span_id.data == NULL && is_empty(r->tags) && !r->trace_state.size &&
           !r->opened_at.size && !r->experiment_id.size && !r->parent_is_remote && !r->shared && !r->debug &&
           !r->dropped_attributes && !r->dropped_events && !r->dropped_links && !r->truncated && !r->repaired && !r->redacted;
}

/* Whether `values.show` would leave a value as it is. */
static bool is_shown_as_is(Reader *from) {
    Value value, key = {0};
    if (!read_value(from, &value) || value.kind == BINARY || (value.kind == REAL && !isfinite(value.real)))
        return false;
    if (value.kind != LIST && value.kind != MAP)
        return true;
    for (size_t i = 0; i < value.count; i++) {
        if (value.kind == MAP && !read_value(from, &key))
            return false;
        if (value.kind == MAP && value.count == 1 && key.text.size && key.text.data[0] == '$')
            return false;
        if (!is_shown_as_is(from)) /* no deeper than `check_value` allowed */
            return false;
    }
    return true;
}

static bool put_value(Buffer *out, Reader value) {
    Reader ahead = value;
    return is_shown_as_is(&ahead) && json_value(out, &value);
}

static void put_digits(Buffer *out, int64_t number, int count) {
    uint8_t digits[9];
    for (int i = count; i > 0; i--, number /= 10)
        digits[i - 1] = (uint8_t)('0' + number % 10);
    buffer_put(out, digits, (size_t)count);
}

/* RFC 3339 with nine digits, UTC. Days to a date: in years that begin in March a month's days are (153 m + 2) / 5. */
static void put_instant(Buffer *out, int64_t time_ns) {
    int64_t seconds = time_ns / 1000000000, days = seconds / 86400 + 719468; /* since 0000-03-01 */
    int64_t era = days / 146097, day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    put_digits(out, era * 400 + year_of_era + (month >= 10), 4);
    buffer_byte(out, '-');
    put_digits(out, month < 10 ? month + 3 : month - 9, 2);
    buffer_byte(out, '-');
    put_digits(out, day_of_year - (153 * month + 2) / 5 + 1, 2);
    buffer_byte(out, 'T');
    put_digits(out, seconds % 86400 / 3600, 2);
    buffer_byte(out, ':');
    put_digits(out, seconds % 3600 / 60, 2);
    buffer_byte(out, ':');
    put_digits(out, seconds % 60, 2);
    buffer_byte(out, '.');
    put_digits(out, time_ns % 1000000000, 9);
    buffer_byte(out, 'Z');
}

static void put_word(Buffer *out, const char *word) {
    buffer_put(out, word, strlen(word));
}

static bool put_values(Buffer *out, const Record *record) {
    if (!is_empty(record->attributes)) {
        buffer_literal(out, ",\"attributes\":");
        Value map, key;
        Reader from = record->attributes;
        if (!read_value(&from, &map))
            return false;
        for (size_t i = 0; i < map.count; i++) {
            buffer_byte(out, i ? ',' : '{');
            if (!read_value(&from, &key))
                return false;
            json_string(out, key.text);
            buffer_byte(out, ':');
            Reader value = from;
            if (!is_shown_as_is(&from) || !json_value(out, &value))
                return false;
        }
        buffer_byte(out, '}');
    }
    if (record->inputs.at != record->inputs.end) {
        buffer_literal(out, ",\"inputs\":");
        if (!put_value(out, record->inputs))
            return false;
    }
    if (record->outputs.at != record->outputs.end) {
        buffer_literal(out, ",\"outputs\":");
        if (!put_value(out, record->outputs))
            return false;
    }
    return true;
}

static void put_identity(Buffer *out, const Record *record, Text service) {
    buffer_literal(out, "{\"timestamp\":\"");
    put_instant(out, record->end_ns);
    record->status == ERROR ? buffer_literal(out, "\",\"level\":\"error") : buffer_literal(out, "\",\"level\":\"info");
    buffer_literal(out, "\",\"event\":\"span.end\",\"schema\":\"spanlog/1\",\"trace_id\":\"");
    json_hex(out, record->trace_id, 16);
    buffer_literal(out, "\",\"span_id\":\"");
    json_hex(out, record->span_id, 8);
    if (record->parent_id != NULL) {
        buffer_literal(out, "\",\"parent_span_id\":\"");
        json_hex(out, record->parent_id, 8);
    }
    buffer_literal(out, "\",\"trace_flags\":\"");
    json_hex(out, (const uint8_t[]){(uint8_t)record->flags}, 1);
    buffer_byte(out, '"');
    if (record->custom_trace_id.data != NULL) {
        buffer_literal(out, ",\"custom_trace_id\":");
        json_string(out, record->custom_trace_id);
    }
    buffer_literal(out, ",\"service\":");
    buffer_put(out, service.data, service.size);
    buffer_literal(out, ",\"span_name\":");
    json_string(out, record->name);
}

static bool put_times(Buffer *out, const Record *record) {
    int64_t duration = record->end_ns - record->start_ns;
    buffer_literal(out, ",\"span_kind\":\"");
    put_word(out, KINDS[record->kind]);
    buffer_literal(out, "\",\"start_time\":\"");
    put_instant(out, record->start_ns);
    buffer_literal(out, "\",\"start_time_unix_nano\":\"");
    json_integer(out, record->start_ns);
    buffer_literal(out, "\",\"end_time_unix_nano\":\"");
    json_integer(out, record->end_ns);
    buffer_literal(out, "\",\"duration_ms\":");
    if (!json_real(out, (double)duration / 1e6))
        return false;
    buffer_literal(out, ",\"duration_ns\":");
    json_integer(out, duration);
    buffer_literal(out, ",\"span_status\":\"");
    put_word(out, STATUSES[record->status]);
    buffer_byte(out, '"');
    return true;
}

Outcome span_line(const Record *record, const Pairs *pairs, Context *context) {
    Buffer *out = context->out;
    const Lines *lines = context->lines;
    size_t start = out->size;
    Text resource = record->parent_id == NULL ? lines->root_resource : lines->resource;
    if (!is_common(record) || record->name.size > lines->max_name)
        return UNUSUAL;
    put_identity(out, record, lines->service);
    if (!put_times(out, record) || !put_values(out, record))
        return UNUSUAL;
    if (resource.size) {
        buffer_literal(out, ",\"resource\":");
        buffer_put(out, resource.data, resource.size);
    }
    buffer_literal(out, "}\n");
    if (out->failed || out->size - start > lines->max_line)
        return UNUSUAL;
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] >= 0x7f) /* the Python code knows what of it is printable */
            return UNUSUAL;
    return DONE;
}
