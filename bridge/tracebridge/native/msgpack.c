/* MessagePack, as msgspec writes records: github.com/msgpack/msgpack/blob/master/spec.md. What msgspec would not decode is refused here too. */

#include "msgpack.h"

#include <string.h>

static bool take(Reader *from, size_t size, const uint8_t **data) {
    if ((size_t)(from->end - from->at) < size)
        return false;
    *data = from->at;
    from->at += size;
    return true;
}

/* Big-endian, of 1, 2, 4 or 8 bytes. */
static bool take_number(Reader *from, size_t size, uint64_t *number) {
    const uint8_t *data;
    if (!take(from, size, &data))
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number = *number << 8 | data[i];
    return true;
}

static bool read_integer(Reader *from, size_t size, bool is_signed, Value *value) {
    uint64_t number;
    if (!take_number(from, size, &number))
        return false;
    if (is_signed && size < 8 && number >> (8 * size - 1))
        number |= UINT64_MAX << (8 * size);
    value->kind = !is_signed && number > INT64_MAX ? BIG : INTEGER;
    memcpy(&value->number, &number, sizeof number);
    return true;
}

static bool read_bytes(Reader *from, Kind kind, uint64_t size, Value *value) {
    value->kind = kind;
    if (size > (size_t)(from->end - from->at))
        return false;
    value->text.size = (size_t)size;
    return take(from, (size_t)size, &value->text.data);
}

static bool read_container(Reader *from, Kind kind, uint64_t count, Value *value) {
    value->kind = kind;
    if (count > (size_t)(from->end - from->at)) /* each item takes a byte at least */
        return false;
    value->count = (size_t)count;
    return true;
}

static bool read_sized(Reader *from, size_t size, Kind kind, Value *value) {
    uint64_t count;
    if (!take_number(from, size, &count))
        return false;
    return kind == LIST || kind == MAP ? read_container(from, kind, count, value) : read_bytes(from, kind, count, value);
}

bool read_other_value(Reader *from, Value *value) {
    const uint8_t *head;
    uint64_t bits;
    if (!take(from, 1, &head))
        return false;
    uint8_t byte = *head;
    if (byte <= 0x7f || byte >= 0xe0) {
        value->kind = INTEGER;
        value->number = byte <= 0x7f ? byte : (int64_t)byte - 0x100;
        return true;
    }
    if (byte <= 0x8f)
        return read_container(from, MAP, byte & 0x0f, value);
    if (byte <= 0x9f)
        return read_container(from, LIST, byte & 0x0f, value);
    if (byte <= 0xbf)
        return read_bytes(from, TEXT, byte & 0x1f, value);
    switch (byte) {
    case 0xc0:
        value->kind = NIL;
        return true;
    case 0xc2:
    case 0xc3:
        value->kind = BOOLEAN;
        value->number = byte & 1;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return read_sized(from, (size_t)1 << (byte - 0xc4), BINARY, value);
    case 0xcb:
        value->kind = REAL;
        if (!take_number(from, 8, &bits))
            return false;
        memcpy(&value->real, &bits, sizeof bits);
        return true;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return read_integer(from, (size_t)1 << (byte - 0xcc), false, value);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return read_integer(from, (size_t)1 << (byte - 0xd0), true, value);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return read_sized(from, (size_t)1 << (byte - 0xd9), TEXT, value);
    case 0xdc:
    case 0xdd:
        return read_sized(from, (size_t)2 << (byte - 0xdc), LIST, value);
    case 0xde:
    case 0xdf:
        return read_sized(from, (size_t)2 << (byte - 0xde), MAP, value);
    default: /* extensions, floats of 32 bits, and the byte that is not used */
        return false;
    }
}

bool is_utf8(Text text) {
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at < end) {
        uint64_t eight = 0;
        size_t some = end - at < 8 ? (size_t)(end - at) : 8;
        if (some == 8)
            memcpy(&eight, at, 8);
        else
            for (size_t i = 0; i < some; i++)
                eight |= at[i];
        if (!(eight & UINT64_C(0x8080808080808080))) {
            at += some;
            continue;
        }
        uint8_t first = *at++;
        if (first < 0x80)
            continue;
        if (first < 0xc2 || first > 0xf4)
            return false;
        int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if (end - at < more)
            return false;
        uint8_t lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;  /* nothing that fewer bytes could say */
        uint8_t highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf; /* no surrogates, nothing beyond U+10FFFF */
        for (; more; more--, lowest = 0x80, highest = 0xbf)
            if (*at < lowest || *at++ > highest)
                return false;
    }
    return true;
}

bool check_value(Reader *from, int depth) {
    Value value;
    if (!read_value(from, &value))
        return false;
    if (value.kind == TEXT)
        return from->is_checked || is_utf8(value.text);
    if (value.kind != LIST && value.kind != MAP)
        return true;
    if (depth == 0)
        return false;
    for (size_t i = 0; i < value.count; i++) {
        if (value.kind == MAP) {
            Value key;
            if (!read_value(from, &key) || key.kind != TEXT || !(from->is_checked || is_utf8(key.text)))
                return false;
        }
        if (!check_value(from, depth - 1))
            return false;
    }
    return true;
}
