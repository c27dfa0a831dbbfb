/* MessagePack as msgspec writes it, of exact plain values only. Nothing here runs Python code. */
#ifndef TRACEBRIDGE_PACKING_H
#define TRACEBRIDGE_PACKING_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

#define DEEPEST 40 /* containers in containers: more than the reducer lets pass (`MAX_DEPTH`) */

/* Bytes that are being written: on the stack first, from the heap once they are more. */
typedef struct {
    uint8_t *bytes;
    size_t size, room;
    uint8_t small[1024];
} Buffer;

static void buffer_begin(Buffer *b) {
    b->bytes = b->small;
    b->size = 0;
    b->room = sizeof b->small;
}

static void buffer_end(Buffer *b) {
    if (b->bytes != b->small)
        PyMem_Free(b->bytes);
}

/* Every `put_…` returns 0, or -1: not a plain value, or no memory. The caller goes the long way, whichever it was; no error is set. */
static int need(Buffer *b, size_t more) {
    if (more <= b->room - b->size)
        return 0;
    if (more > PY_SSIZE_T_MAX / 4 || b->room > PY_SSIZE_T_MAX / 4)
        return -1;
    size_t room = b->room * 2 + more;
    uint8_t *bytes = PyMem_Malloc(room);
    if (bytes == NULL)
        return -1;
    memcpy(bytes, b->bytes, b->size);
    buffer_end(b);
    b->bytes = bytes;
    b->room = room;
    return 0;
}

static void big_endian(uint8_t *to, uint64_t number, int bytes) {
    while (bytes--) {
        to[bytes] = (uint8_t)number;
        number >>= 8;
    }
}

static int put_raw(Buffer *b, const void *from, size_t size) {
    if (need(b, size) < 0)
        return -1;
    memcpy(b->bytes + b->size, from, size);
    b->size += size;
    return 0;
}

/* A mark and a number behind it. */
static int put_mark(Buffer *b, uint8_t mark, uint64_t number, int bytes) {
    if (need(b, 9) < 0)
        return -1;
    b->bytes[b->size] = mark;
    big_endian(b->bytes + b->size + 1, number, bytes);
    b->size += 1 + (size_t)bytes;
    return 0;
}

static int put_int(Buffer *b, int64_t n) {
    if (n >= 0) {
        if (n < 128)
            return put_mark(b, (uint8_t)n, 0, 0);
        if (n <= UINT8_MAX)
            return put_mark(b, 0xcc, (uint64_t)n, 1);
        if (n <= UINT16_MAX)
            return put_mark(b, 0xcd, (uint64_t)n, 2);
        if (n <= UINT32_MAX)
            return put_mark(b, 0xce, (uint64_t)n, 4);
        return put_mark(b, 0xcf, (uint64_t)n, 8);
    }
    if (n >= -32)
        return put_mark(b, (uint8_t)n, 0, 0);
    if (n >= INT8_MIN)
        return put_mark(b, 0xd0, (uint64_t)n, 1);
    if (n >= INT16_MIN)
        return put_mark(b, 0xd1, (uint64_t)n, 2);
    if (n >= INT32_MIN)
        return put_mark(b, 0xd2, (uint64_t)n, 4);
    return put_mark(b, 0xd3, (uint64_t)n, 8);
}

/* The length of a text, bytes, list or mapping: in the mark itself up to `most`, else behind one of three marks (0: there is none). */
static int put_length(Buffer *b, Py_ssize_t length, uint8_t fixed, Py_ssize_t most, uint8_t mark8, uint8_t mark16) {
    if (length <= most)
        return put_mark(b, (uint8_t)(fixed | length), 0, 0);
    if (mark8 && length <= UINT8_MAX)
        return put_mark(b, mark8, (uint64_t)length, 1);
    if (length <= UINT16_MAX)
        return put_mark(b, mark16, (uint64_t)length, 2);
    return length <= UINT32_MAX ? put_mark(b, (uint8_t)(mark16 + 1), (uint64_t)length, 4) : -1;
}

static int put_list_length(Buffer *b, Py_ssize_t length) {
    return put_length(b, length, 0x90, 15, 0, 0xdc);
}

static int put_text(Buffer *b, PyObject *text) {
    Py_ssize_t size;
    const char *utf8;
    if (text == NULL || !PyUnicode_CheckExact(text))
        return -1;
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        utf8 = PyUnicode_DATA(text);
        size = PyUnicode_GET_LENGTH(text);
    }
    else if ((utf8 = PyUnicode_AsUTF8AndSize(text, &size)) == NULL) {
        PyErr_Clear(); /* lone surrogates */
        return -1;
    }
    return put_length(b, size, 0xa0, 31, 0xd9, 0xda) < 0 ? -1 : put_raw(b, utf8, (size_t)size);
}

static int put_bytes(Buffer *b, PyObject *bytes) {
    if (bytes == NULL || !PyBytes_CheckExact(bytes))
        return -1;
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);
    return put_length(b, size, 0, -1, 0xc4, 0xc5) < 0 ? -1 : put_raw(b, PyBytes_AS_STRING(bytes), (size_t)size);
}

static int put_value(Buffer *b, PyObject *value, int depth);

static int put_map(Buffer *b, PyObject *map, int depth) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (!depth || map == NULL || !PyDict_CheckExact(map) || put_length(b, PyDict_GET_SIZE(map), 0x80, 15, 0, 0xde) < 0)
        return -1;
    while (PyDict_Next(map, &at, &key, &value))
        if (put_text(b, key) < 0 || put_value(b, value, depth - 1) < 0)
            return -1;
    return 0;
}

static int put_list(Buffer *b, PyObject *list, int depth) {
    if (!depth || put_list_length(b, PyList_GET_SIZE(list)) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(list); at++)
        if (put_value(b, PyList_GET_ITEM(list, at), depth - 1) < 0)
            return -1;
    return 0;
}

static int put_value(Buffer *b, PyObject *value, int depth) {
    if (value == Py_None)
        return put_mark(b, 0xc0, 0, 0);
    if (value == Py_False || value == Py_True)
        return put_mark(b, value == Py_True ? 0xc3 : 0xc2, 0, 0);
    if (value == NULL)
        return -1;
    if (PyUnicode_CheckExact(value))
        return put_text(b, value);
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow ? -1 : put_int(b, number);
    }
    if (PyFloat_CheckExact(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        uint64_t bits;
        memcpy(&bits, &number, 8);
        return put_mark(b, 0xcb, bits, 8);
    }
    if (PyBytes_CheckExact(value))
        return put_bytes(b, value);
    if (PyDict_CheckExact(value))
        return put_map(b, value, depth);
    return PyList_CheckExact(value) ? put_list(b, value, depth) : -1;
}

#endif
