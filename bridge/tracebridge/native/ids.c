/* Span IDs, in the two forms that the calls need: twin of `_pairs_of` in `tracebridge/ids/random_ids.py`. */

#include "native.h"

#define SPAN_BYTES 8

PyObject *hex_digits(PyObject *bytes) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = (const unsigned char *)PyBytes_AS_STRING(bytes);
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);
    PyObject *text = PyUnicode_New(2 * size, 127);
    for (Py_ssize_t k = 0; text != NULL && k < size; k++) {
        ((char *)PyUnicode_DATA(text))[2 * k] = digits[from[k] >> 4];
        ((char *)PyUnicode_DATA(text))[2 * k + 1] = digits[from[k] & 15];
    }
    return text;
}

/* Cuts bytes into (8 bytes, 16 hex digits), leaving out zeros; what is left behind the last eight is not looked at. */
PyObject *span_ids(PyObject *module, PyObject *block) {
    if (!PyBytes_CheckExact(block))
        Py_RETURN_NONE;
    PyObject *list = PyList_New(0);
    for (Py_ssize_t at = 0; list != NULL && at + SPAN_BYTES <= PyBytes_GET_SIZE(block); at += SPAN_BYTES) {
        const char *from = PyBytes_AS_STRING(block) + at;
        if (memcmp(from, "\0\0\0\0\0\0\0", SPAN_BYTES) == 0)
            continue;
        PyObject *raw = PyBytes_FromStringAndSize(from, SPAN_BYTES), *hex = raw == NULL ? NULL : hex_digits(raw);
        PyObject *pair = hex == NULL ? NULL : PyTuple_Pack(2, raw, hex);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(raw);
        Py_XDECREF(hex);
        Py_XDECREF(pair);
    }
    return list;
}
