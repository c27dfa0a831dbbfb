/* Reading MessagePack: one value at a time, without allocating, and never beyond the end. */

#ifndef TRACEBRIDGE_MSGPACK_H
#define TRACEBRIDGE_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_DEPTH 40 /* containers inside containers; `records.values` makes text of what is deeper than 32 */

typedef struct {
    const uint8_t *at, *end;
    bool is_checked; /* texts are known to be UTF-8 */
} Reader;

typedef struct {
    const uint8_t *data;
    size_t size;
} Text;

typedef enum { NIL, BOOLEAN, INTEGER, BIG, REAL, TEXT, BINARY, LIST, MAP } Kind;

typedef struct {
    Kind kind;
    int64_t number; /* of INTEGER, and 0 or 1 of BOOLEAN; BIG is an integer that has no room here */
    double real;
    Text text;    /* of TEXT and BINARY */
    size_t count; /* of LIST and MAP, whose items come next */
} Value;

bool read_other_value(Reader *from, Value *value);

/* Read a value, but not what is in a container. False: it is damaged, or of a kind that no record of ours has. Text may not be UTF-8. */
static inline bool read_value(Reader *from, Value *value) {
    if (from->at == from->end)
        return false;
    uint8_t head = *from->at;
    size_t size = head & 0x1f;
    if ((head & 0xe0) != 0xa0 || size >= (size_t)(from->end - from->at)) /* most are short texts */
        return read_other_value(from, value);
    value->kind = TEXT;
    value->text = (Text){from->at + 1, size};
    from->at += 1 + size;
    return true;
}

/* Read a value with all that is in it, and check it: keys are texts, and texts are UTF-8. `depth` is how many containers it may hold. */
bool check_value(Reader *from, int depth);

bool is_utf8(Text text);

#endif
