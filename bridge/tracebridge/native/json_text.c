/* JSON as msgspec writes it: no spaces, only what has to be escaped is, and bytes as base64. */

#include "json_text.h"

#include <math.h>

/* Whether none of eight bytes has to be escaped. */
static bool is_plain(const uint8_t *at) {
    const uint64_t ONES = UINT64_C(0x0101010101010101), HIGHS = ONES << 7;
    uint64_t eight;
    memcpy(&eight, at, 8);
    uint64_t quotes = eight ^ ONES * '"', backslashes = eight ^ ONES * '\\';
    return !(((eight - ONES * 0x20) | (quotes - ONES) | (backslashes - ONES)) & ~eight & HIGHS);
}

void json_characters(Buffer *out, Text text) {
    static const char SHORT[] = "btn\0fr"; /* of 8 to 13 */
    static const char HEX[] = "0123456789abcdef";
    const uint8_t *at = text.data, *plain = at, *end = at + text.size;
    for (; at < end; at++) {
        while (end - at >= 8 && is_plain(at))
            at += 8;
        if (at == end)
            break;
        if (*at >= 0x20 && *at != '"' && *at != '\\')
            continue;
        buffer_put(out, plain, (size_t)(at - plain));
        plain = at + 1;
        if (*at >= 0x20)
            buffer_put(out, (const uint8_t[]){'\\', *at}, 2);
        else if (*at >= 8 && *at <= 13 && SHORT[*at - 8])
            buffer_put(out, (const uint8_t[]){'\\', (uint8_t)SHORT[*at - 8]}, 2);
        else
            buffer_put(out, (const uint8_t[]){'\\', 'u', '0', '0', (uint8_t)HEX[*at >> 4], (uint8_t)HEX[*at & 15]}, 6);
    }
    buffer_put(out, plain, (size_t)(end - plain));
}

void json_string(Buffer *out, Text text) {
    buffer_byte(out, '"');
    json_characters(out, text);
    buffer_byte(out, '"');
}

void json_integer(Buffer *out, int64_t number) {
    uint8_t digits[20], *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = (uint8_t)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        buffer_byte(out, '-');
    buffer_put(out, at, (size_t)(digits + sizeof digits - at));
}

void json_base64(Buffer *out, Text bytes) {
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buffer_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) | (left > 2 ? bytes.data[i + 2] : 0);
        uint8_t four[4];
        for (int n = 0; n < 4; n++)
            four[n] = (uint8_t)LETTERS[three >> (18 - 6 * n) & 63];
        if (left < 3)
            four[3] = '=';
        if (left < 2)
            four[2] = '=';
        buffer_put(out, four, 4);
    }
    buffer_byte(out, '"');
}

void json_hex(Buffer *out, const uint8_t *bytes, size_t size) {
    static const char HEX[] = "0123456789abcdef";
    uint8_t *to = buffer_more(out, 2 * size);
    if (to == NULL)
        return;
    for (size_t i = 0; i < size; i++) {
        *to++ = (uint8_t)HEX[bytes[i] >> 4];
        *to++ = (uint8_t)HEX[bytes[i] & 15];
    }
    out->size += 2 * size;
}

/* A decimal of at most 15 digits is the only one of so few that its double is nearest to, so it is the shortest. Whether a number is one is told exactly:
   its digits and the power of ten are both exact, and so their quotient is rounded once. */
bool json_real(Buffer *out, double number) {
    double size = fabs(number), power = 1;
    int decimals = 0;
    if (signbit(number))
        buffer_byte(out, '-');
    if (number == 0) {
        buffer_literal(out, "0.0");
        return true;
    }
    if (!(size >= 1e-4 && size < 1e15))
        return false;
    for (;; decimals++, power *= 10) {
        double shifted = size * power;
        if (decimals > 12 || shifted >= 1e15)
            return false;
        uint64_t digits = (uint64_t)(shifted + 0.5);
        if ((double)digits / power != size)
            continue;
        uint8_t text[32], *at = text + sizeof text;
        for (int n = 0; n < decimals || digits; n++) {
            *--at = (uint8_t)('0' + digits % 10);
            digits /= 10;
            if (n + 1 == decimals)
                *--at = '.';
        }
        if (*at == '.')
            *--at = '0';
        buffer_put(out, at, (size_t)(text + sizeof text - at));
        if (decimals == 0)
            buffer_literal(out, ".0");
        return true;
    }
}

static bool json_number(Buffer *out, double number) {
    if (isnan(number))
        buffer_literal(out, "\"NaN\"");
    else if (isinf(number))
        number > 0 ? buffer_literal(out, "\"Infinity\"") : buffer_literal(out, "\"-Infinity\"");
    else
        return json_real(out, number);
    return true;
}

static bool json_items(Buffer *out, Reader *from, const Value *container) {
    bool is_map = container->kind == MAP;
    buffer_byte(out, is_map ? '{' : '[');
    for (size_t i = 0; i < container->count; i++) {
        if (i)
            buffer_byte(out, ',');
        if (is_map) {
            Value key;
            if (!read_value(from, &key))
                return false;
            json_string(out, key.text);
            buffer_byte(out, ':');
        }
        if (!json_value(out, from))
            return false;
    }
    buffer_byte(out, is_map ? '}' : ']');
    return true;
}

bool json_value(Buffer *out, Reader *from) {
    Value value;
    if (!read_value(from, &value))
        return false;
    switch (value.kind) {
    case NIL: buffer_literal(out, "null"); return true;
    case BOOLEAN: value.number ? buffer_literal(out, "true") : buffer_literal(out, "false"); return true;
    case INTEGER: json_integer(out, value.number); return true;
    case REAL: return json_number(out, value.real);
    case TEXT: json_string(out, value.text); return true;
    case BINARY: json_base64(out, value.text); return true;
    case LIST:
    case MAP: return json_items(out, from, &value); /* no deeper than `check_value` allowed */
    default: return false;
    }
}
