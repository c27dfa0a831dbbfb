/* Bytes that grow. Made of memory that needs no interpreter's lock. After a failed allocation everything is left out, and `failed` says so. */

#ifndef TRACEBRIDGE_BUFFER_H
#define TRACEBRIDGE_BUFFER_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *data;
    size_t size, room;
    bool failed;
} Buffer;

/* Room for so many more bytes: where the next one goes, or NULL. */
static inline uint8_t *buffer_more(Buffer *out, size_t count) {
    if (out->failed)
        return NULL;
    if (count > out->room - out->size) {
        size_t room = out->room < 1024 ? 1024 : out->room;
        if (count > PY_SSIZE_T_MAX / 4 || out->size > PY_SSIZE_T_MAX / 4) {
            out->failed = true;
            return NULL;
        }
        while (room - out->size < count)
            room *= 2;
        uint8_t *data = PyMem_RawRealloc(out->data, room);
        if (data == NULL) {
            out->failed = true;
            return NULL;
        }
        out->data = data;
        out->room = room;
    }
    return out->data + out->size;
}

static inline void buffer_byte(Buffer *out, uint8_t byte) {
    uint8_t *to = buffer_more(out, 1);
    if (to != NULL) {
        *to = byte;
        out->size++;
    }
}

static inline void buffer_put(Buffer *out, const void *data, size_t size) {
    uint8_t *to = size ? buffer_more(out, size) : NULL;
    if (to != NULL) {
        memcpy(to, data, size);
        out->size += size;
    }
}

/* Only for literals: their length is known when compiling. */
#define buffer_literal(out, text) buffer_put(out, text, sizeof(text) - 1)

static inline void buffer_free(Buffer *out) {
    PyMem_RawFree(out->data);
    *out = (Buffer){0};
}

#endif
