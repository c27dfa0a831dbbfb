/* Ending a span: its record, the append to the journal, and the end of its trace. `Ending._end`, `end_span`, `end_trace` and `Span.end`. See live.h. */

#include "live.h"

/* Wakes whoever waits for the journal to reach this position. Returns 1, -1 for an error. */
int wake(PyObject *journal, PyObject *wake_at, long long position) {
    if (PyFloat_CheckExact(wake_at) ? (double)position < PyFloat_AS_DOUBLE(wake_at) : position < natural(wake_at))
        return 1;
    PyObject *woken = PyObject_CallMethodNoArgs(journal, str_wake);
    Py_XDECREF(woken);
    return woken == NULL ? -1 : 1;
}

/* Appends a record to the journal in memory, with the lock held, as its `append` does. Returns 1, 0 when it has to do so itself, -1 for an error. */
static int append_to_memory(PyObject *journal, PyObject *record) {
    long long size = PyBytes_GET_SIZE(record) + RECORD_OVERHEAD, next = natural(SLOT(journal, in_memory.end)) + 1;
    PyObject *records = SLOT(journal, in_memory._records), *wake_at = SLOT(journal, in_memory._wake_at);
    if (next <= 0 || size > natural(SLOT(journal, in_memory._free)) || records == NULL || !PyList_CheckExact(records) || wake_at == NULL)
        return 0;
    PyObject *end = PyLong_FromLongLong(next), *left = sum_of(journal, in_memory._free, -size);
    int done = end != NULL && left != NULL && PyList_Append(records, record) == 0 ? 1 : -1;
    if (done > 0) {
        set_slot(journal, in_memory.end, end);
        set_slot(journal, in_memory._free, left);
        done = wake(journal, wake_at, next);
    }
    Py_XDECREF(end);
    Py_XDECREF(left);
    return done;
}

static int append(Calls *calls, PyObject *record, PyObject *span) {
    int done = Py_TYPE(calls->journal) == memory_type ? append_to_memory(calls->journal, record) : append_to_disk(calls, record, span);
    if (done)
        return done;
    PyObject *appended = PyObject_CallMethodObjArgs(calls->journal, str_append, record, span, NULL);
    Py_XDECREF(appended);
    return appended == NULL ? -1 : 1;
}

static int ends_plainly(Calls *calls, PyObject *span, PyObject *trace) {
    PyObject *tags = SLOT(trace, in_trace.tags), *ended = SLOT(trace, in_trace.ended), *roots = SLOT(trace, in_trace.roots);
    PyObject *spans = SLOT(trace, in_trace.spans), *span_id = SLOT(span, in_span._span_id);
    return SLOT(trace, in_trace.decision) == Py_None && SLOT(trace, in_trace.fast_path) == Py_True && SLOT(span, in_span._fast_path) == Py_True &&
           SLOT(span, in_span._cause) == Py_None && tags != NULL && PyDict_CheckExact(tags) &&
           (SLOT(span, in_span._is_root) == Py_False || PyDict_GET_SIZE(tags) == 0) && ended != NULL && Py_TYPE(ended) == recent_type &&
           SLOT(ended, in_recent.young) != NULL && PySet_CheckExact(SLOT(ended, in_recent.young)) && roots != NULL && PyTuple_CheckExact(roots) &&
           spans != NULL && PyDict_CheckExact(spans) && span_id != NULL && PyUnicode_CheckExact(span_id) &&
           PyDict_GetItemWithError(spans, span_id) == span;
}

static PyObject *after_end(PyObject *client, PyObject *trace, int is_root) {
    PyObject *args[] = {client, trace, is_root ? Py_True : Py_False};
    return PyObject_VectorcallMethod(str_after_end, args, 2, is_root_name);
}

/* Notes that a trace has ended with its only root, its last span, as `Ending._retire` and `LiveTable.remove` do. Returns 0 where Python has to do it. */
static int retire(Calls *calls, PyObject *trace, PyObject *root, PyObject *last_root) {
    PyObject *roots = SLOT(trace, in_trace.roots), *young = SLOT(calls->finished, in_recent.young);
    PyObject *hex_id = SLOT(trace, in_trace.hex_id), *custom_id = SLOT(trace, in_trace.custom_id);
    if (last_root == NULL || PyTuple_GET_SIZE(roots) != 1 || PyTuple_GET_ITEM(roots, 0) != root || PyDict_GET_SIZE(SLOT(trace, in_trace.spans)) != 0 ||
        young == NULL || !PySet_CheckExact(young) || PySet_GET_SIZE(young) + 1 >= natural(SLOT(calls->finished, in_recent.capacity)) || hex_id == NULL ||
        custom_id == NULL || PyDict_GetItemWithError(calls->traces, hex_id) != trace ||
        (custom_id != Py_None && PyDict_GetItemWithError(calls->traces, custom_id) != trace))
        return 0;
    if (PySet_Add(young, hex_id) < 0 || (custom_id != Py_None && PySet_Add(young, custom_id) < 0)) { /* before it goes: who looks finds one or the other */
        PyErr_Clear();
        return 0;
    }
    set_slot(trace, in_trace.roots, no_roots);
    set_slot(trace, in_trace.last_root, last_root);
    set_slot(trace, in_trace.late_since, Py_None);
    set_slot(trace, in_trace.done, Py_True);
    if (PyDict_DelItem(calls->traces, hex_id) < 0 || (custom_id != Py_None && PyDict_DelItem(calls->traces, custom_id) < 0))
        PyErr_Clear(); /* it was there */
    return 1;
}

/* Makes a span open again whose end could not take the lock. */
static void reopen(PyObject *spans, PyObject *span_id, PyObject *span) {
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    if (PyDict_SetItem(spans, span_id, span) < 0)
        PyErr_Clear();
    set_slot(span, in_span._cause, Py_None);
    set_slot(span, in_span._end_time_ns, Py_None);
    PyErr_Restore(kind, error, trace);
}

/* Ends a span with nothing but outputs. Returns None; NULL without an error, and without a change, for one that Python has to end. */
static PyObject *end_plainly(Calls *calls, PyObject *client, PyObject *span, PyObject *given_outputs) {
    PyObject *outputs = Py_NewRef(Py_None), *result = NULL, *record = NULL, *trace = Py_XNewRef(SLOT(span, in_span._trace));
    PyObject *is_inside = PyObject_CallNoArgs(calls->is_inside), *end_time = NULL, *last_root = NULL, *spans = NULL, *young = NULL;
    if (is_inside != Py_False || trace == NULL || Py_TYPE(trace) != trace_type)
        goto done;
    if (!ABSENT(given_outputs)) {
        Py_SETREF(outputs, PyObject_CallOneArg(calls->fast_payload, given_outputs));
        if (ABSENT(outputs))
            goto done;
    }
    else
        Py_SETREF(outputs, Py_XNewRef(SLOT(span, in_span._outputs)));
    if (SLOT(span, in_span._is_root) == Py_True) /* made here, because the collector may run now, and not between what comes */
        last_root = Py_BuildValue("(OO)", SLOT(span, in_span._span_id), SLOT(span, in_span._raw_id));
    long long code = natural(SLOT(span, in_span._code)), end_ns;
    code = code == 0 ? 1 : code; /* UNSET is OK now */
    if (outputs == NULL || code < 0 || !ends_plainly(calls, span, trace) ||
        (record = finished_record(calls, span, trace, outputs, code, &end_ns)) == NULL || (end_time = PyLong_FromLongLong(end_ns)) == NULL)
        goto done;
    PyObject *span_id = SLOT(span, in_span._span_id);
    spans = Py_NewRef(SLOT(trace, in_trace.spans)); /* kept: while this waits for the lock, another thread may put others in their places */
    young = Py_NewRef(SLOT(SLOT(trace, in_trace.ended), in_recent.young));
    if (PySet_Add(young, span_id) < 0 || PyDict_DelItem(spans, span_id) < 0) { /* in this order: it is a possible parent at any moment */
        PyErr_Clear();
        goto done;
    }
    set_slot(span, in_span._cause, finished);
    set_slot(span, in_span._code, code == 1 ? one : SLOT(span, in_span._code));
    set_slot(span, in_span._end_time_ns, end_time);
    set_slot(span, in_span._outputs, outputs);
    if (lock(calls) < 0) {
        reopen(spans, span_id, span);
        goto done;
    }
    int is_root = SLOT(span, in_span._is_root) == Py_True, failed = append(calls, record, span) < 0;
    PyObject *open = failed ? NULL : sum_of(calls->accounts, in_accounts.open, -1);
    if (open != NULL) {
        set_slot(calls->accounts, in_accounts.open, open);
        Py_DECREF(open);
    }
    if (!failed && (is_root || PyDict_GET_SIZE(spans) == 0) && !retire(calls, trace, span, last_root)) {
        PyObject *retired = PyObject_CallMethodObjArgs(client, str_retire, span, trace, NULL);
        failed = retired == NULL;
        Py_XDECREF(retired);
    }
    unlock(calls);
    if (failed && !PyErr_ExceptionMatches(PyExc_Exception))
        goto done; /* Ctrl-C */
    if (failed)
        PyErr_WriteUnraisable(client); /* it has ended, so that Python must not end it again */
    result = Py_NewRef(Py_None);
    if ((is_root && SLOT(trace, in_trace.late_since) != Py_None) || calls->commits || PySet_GET_SIZE(young) > 65536)
        Py_SETREF(result, after_end(client, trace, is_root));
done:
    Py_XDECREF(is_inside);
    Py_XDECREF(outputs);
    Py_XDECREF(record);
    Py_XDECREF(end_time);
    Py_XDECREF(last_root);
    Py_XDECREF(spans);
    Py_XDECREF(young);
    Py_XDECREF(trace);
    return result;
}

/* The last four arguments of each end: outputs, attributes, status, time. */
static int has_only_outputs(PyObject **last) {
    return ABSENT(last[1]) && (ABSENT(last[2]) || last[2] == keep_error) && ABSENT(last[3]);
}

static PyObject *end_names[7], *end_span_names[7], *end_trace_names[6], *end_self_names[4];
static const char *const end_spelled[] = {"span", "outputs", "attributes", "status", "end_time_ns", "cause"};
static const char *const end_span_spelled[] = {"trace_id", "span_id", "outputs", "attributes", "status", "end_time_ns", "request_id"};
static const char *const end_trace_spelled[] = {"trace_id", "outputs", "attributes", "status", "end_time_ns", "request_id"};
static const char *const end_self_spelled[] = {"outputs", "attributes", "status", "end_time_ns"};

/* `Ending._end` */
static PyObject *end(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[6], *result = NULL;
    if (sorted(given, end_names, 6, 6, args, count, kwnames) < 0 || given[0] == NULL || Py_TYPE(given[0]) != span_type || !has_only_outputs(given + 1) ||
        !(given[5] == NULL || given[5] == finished))
        return NULL;
    Calls *calls = calls_of(client);
    if (calls != NULL)
        result = end_plainly(calls, client, given[0], given[1]);
    Py_XDECREF(calls);
    return result;
}

/* `Span.end` */
static PyObject *end_self(PyObject *span, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[4], *client, *result = NULL;
    if (sorted(given, end_self_names, 4, 4, args, count, kwnames) < 0 || Py_TYPE(span) != span_type || !has_only_outputs(given))
        return NULL;
    client = Py_XNewRef(SLOT(span, in_span._calls));
    Calls *calls = client == NULL ? NULL : calls_of(client);
    if (calls != NULL)
        result = end_plainly(calls, client, span, given[0]);
    Py_XDECREF(calls);
    Py_XDECREF(client);
    return result;
}

/* `Ending.end_span` */
static PyObject *end_span(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[7], *trace = NULL, *span = NULL, *result = NULL;
    if (sorted(given, end_span_names, 6, 7, args, count, kwnames) < 0 || given[0] == NULL || !PyUnicode_CheckExact(given[0]) || !has_only_outputs(given + 2) ||
        !ABSENT(given[6]))
        return NULL;
    Calls *calls = calls_of(client);
    if (calls != NULL && (trace = usual_trace(calls, given[0])) != NULL && (span = open_span(trace, given[1])) != NULL)
        result = end_plainly(calls, client, span, given[2]);
    Py_XDECREF(calls);
    Py_XDECREF(trace);
    Py_XDECREF(span);
    return result;
}

/* `Ending.end_trace` */
static PyObject *end_trace(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[6], *trace = NULL, *roots, *result = NULL;
    if (sorted(given, end_trace_names, 5, 6, args, count, kwnames) < 0 || given[0] == NULL || !PyUnicode_CheckExact(given[0]) || !has_only_outputs(given + 1) ||
        !ABSENT(given[5]))
        return NULL;
    Calls *calls = calls_of(client);
    if (calls != NULL && is_on(client) && (trace = usual_trace(calls, given[0])) != NULL) {
        roots = SLOT(trace, in_trace.roots);
        Py_ssize_t last = roots != NULL && PyTuple_CheckExact(roots) ? PyTuple_GET_SIZE(roots) - 1 : -1;
        PyObject *root = last < 0 ? NULL : Py_NewRef(PyTuple_GET_ITEM(roots, last));
        if (root != NULL && Py_TYPE(root) == span_type)
            result = end_plainly(calls, client, root, given[1]);
        Py_XDECREF(root);
    }
    Py_XDECREF(calls);
    Py_XDECREF(trace);
    return result;
}

const Short end_ways[] = {
    {"_end", end, end_names, end_spelled, 6},
    {"end", end_self, end_self_names, end_self_spelled, 4},
    {"end_span", end_span, end_span_names, end_span_spelled, 7},
    {"end_trace", end_trace, end_trace_names, end_trace_spelled, 6},
};
