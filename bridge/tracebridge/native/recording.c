/* Spans as records: twin of the common cases of `Ending._end` and `Recording._started`. See live.h. */

#include "live.h"

#include "packing.h"

/* Writes a span's record, but for the end's time, which stands between the two parts. `opened_at` is NULL for a finished span. */
static int write_record(Buffer *head, Buffer *rest, PyObject *span, PyObject *trace, PyObject *outputs, long long code, PyObject *opened_at) {
    PyObject *inputs = SLOT(span, in_span._inputs), *custom_id = SLOT(trace, in_trace.custom_id), *parent = SLOT(span, in_span._parent_raw);
    int is_root = SLOT(span, in_span._is_root) == Py_True, says_scheme = is_root && custom_id != Py_None;
    int is_long = inputs != Py_None || outputs != Py_None || says_scheme || (opened_at != NULL && is_root);
    long long kind = natural(SLOT(span, in_span._kind));
    if (SLOT(span, in_span._events) != Py_None || kind < 0)
        return -1;
    if (put_list_length(head, says_scheme ? 20 : is_long ? 17 : opened_at != NULL ? 13 : 11) < 0 || put_bytes(head, SLOT(trace, in_trace.trace_id)) < 0 ||
        put_bytes(head, SLOT(span, in_span._raw_id)) < 0 || (parent == Py_None ? put_value(head, parent, 0) : put_bytes(head, parent)) < 0 ||
        put_text(head, SLOT(span, in_span._name)) < 0 || put_value(head, SLOT(span, in_span._start_time_ns), 0) < 0)
        return -1;
    if (put_int(rest, kind) < 0 || put_int(rest, code) < 0 || put_map(rest, SLOT(span, in_span._attributes), DEEPEST) < 0 ||
        put_text(rest, SLOT(span, in_span._span_type)) < 0 || put_value(rest, custom_id, 0) < 0)
        return -1;
    if (opened_at != NULL && (put_raw(rest, "\xaa" "unfinished", 11) < 0 || put_text(rest, opened_at) < 0))
        return -1;
    if (is_long && ((opened_at == NULL && put_raw(rest, "\xa8" "finished" "\xa0", 10) < 0) || put_raw(rest, "\xa0", 1) < 0 || put_value(rest, inputs, DEEPEST) < 0 ||
                    put_value(rest, outputs, DEEPEST) < 0 || put_raw(rest, "\x90", 1) < 0))
        return -1;
    return says_scheme ? (put_raw(rest, "\x90\x80", 2) < 0 ? -1 : put_text(rest, SLOT(trace, in_trace.scheme))) : 0;
}

/* Returns both parts as bytes; NULL (no error is set) when there is no memory. */
static PyObject *joined(Buffer *head, Buffer *rest) {
    PyObject *record = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(head->size + rest->size));
    if (record == NULL) {
        PyErr_Clear();
        return NULL;
    }
    memcpy(PyBytes_AS_STRING(record), head->bytes, head->size);
    memcpy(PyBytes_AS_STRING(record) + head->size, rest->bytes, rest->size);
    return record;
}

/* Returns a finished span's record as bytes, and when it ended; NULL (no error is set) for one that Python has to write. */
PyObject *finished_record(Calls *calls, PyObject *span, PyObject *trace, PyObject *outputs, long long code, long long *end_ns) {
    Buffer head, rest;
    PyObject *record = NULL;
    buffer_begin(&head);
    buffer_begin(&rest);
    if (write_record(&head, &rest, span, trace, outputs, code, NULL) == 0 && (*end_ns = now_ns(calls, trace)) >= 0 && put_int(&head, *end_ns) == 0)
        record = joined(&head, &rest);
    buffer_end(&head);
    buffer_end(&rest);
    return record;
}

/* Returns an open span's record as bytes; NULL for one that Python has to write. */
static PyObject *started_record(PyObject *span, PyObject *trace) {
    Buffer head, rest;
    PyObject *record = NULL, *opened_at = PyObject_CallOneArg(show_place, SLOT(span, in_span._place));
    if (opened_at == NULL)
        return NULL;
    buffer_begin(&head);
    buffer_begin(&rest);
    if (write_record(&head, &rest, span, trace, Py_None, natural(SLOT(span, in_span._code)), opened_at) == 0 &&
        put_value(&head, SLOT(span, in_span._start_time_ns), 0) == 0)
        record = joined(&head, &rest);
    buffer_end(&head);
    buffer_end(&rest);
    Py_DECREF(opened_at);
    return record;
}

/* Returns an open span's record for the journal on disk; NULL for the Python way: in the middle of another call, too, the journal has to be told later. */
PyObject *record_of_start(Calls *calls, PyObject *span, PyObject *trace) {
    if (SLOT(trace, in_trace.fast_path) != Py_True || SLOT(span, in_span._fast_path) != Py_True)
        return NULL;
    PyObject *is_inside = PyObject_CallNoArgs(calls->is_inside);
    Py_XDECREF(is_inside);
    return is_inside == Py_False ? started_record(span, trace) : NULL;
}
