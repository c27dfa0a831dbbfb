/* Beginning a trace under the caller's own ID, or a random one: `Starting.start_trace` and `Roots._begin_trace`. See live.h. */

#include "live.h"

#include "sha256.h"

enum { T_NAME, T_SPAN_TYPE, T_INPUTS, T_ATTRIBUTES, T_TAGS, T_EXPERIMENT, T_START_TIME, T_RUN, T_LINKS, T_TRACE_ID, T_REQUEST_ID, T_PARENT, T_KIND, T_SPAN_ID,
       T_SHARED, ALL_TRACE };
static PyObject *trace_names[ALL_TRACE];
static const char *const trace_spelled[ALL_TRACE] = {"name", "span_type", "inputs", "attributes", "tags", "experiment_id", "start_time_ns", "run_id", "links",
                                                     "trace_id", "request_id", "parent", "kind", "span_id", "shared"};

enum { B_PLACE, B_ID, B_PARENT, B_NAME, B_SPAN_TYPE, B_INPUTS, B_ATTRIBUTES, B_TAGS, B_EXPERIMENT, B_START_TIME, B_RUN, B_LINKS, B_KIND, B_SPAN_ID, B_SHARED,
       ALL_BEGIN };
static PyObject *begin_names[ALL_BEGIN];
static const char *const begin_spelled[ALL_BEGIN] = {"place", "custom_id", "parent", "name", "span_type", "inputs", "attributes", "tags", "experiment_id",
                                                     "start_time_ns", "run_id", "links", "kind", "span_id", "shared"};

/* Returns whether `auto` hashes a text, whatever is in it: it is ASCII, and of a length that no other form has. */
static int is_hashed(PyObject *text) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    return PyUnicode_IS_COMPACT_ASCII(text) && length > 0 && length < SHA256_MOST && length != 16 && length != 32 && length != 35 && length != 36;
}

/* Returns a trace's (16 bytes, scheme) for the caller's ID or without one; NULL for the Python way. */
static PyObject *wire_id(Calls *calls, PyObject *custom_id) {
    PyObject *made;
    if (custom_id != Py_None && calls->hashes && is_hashed(custom_id)) {
        uint8_t hash[16];
        sha256_16(PyUnicode_DATA(custom_id), (size_t)PyUnicode_GET_LENGTH(custom_id), hash);
        made = Py_BuildValue("(y#O)", hash, (Py_ssize_t)16, hash_scheme);
    }
    else
        made = custom_id == Py_None ? PyObject_CallNoArgs(calls->random) : PyObject_CallOneArg(calls->wire, custom_id);
    if (made != NULL && !(PyTuple_Check(made) && PyTuple_GET_SIZE(made) == 2 && PyBytes_CheckExact(PyTuple_GET_ITEM(made, 0)) &&
                          PyBytes_GET_SIZE(PyTuple_GET_ITEM(made, 0)) == 16 && PyUnicode_CheckExact(PyTuple_GET_ITEM(made, 1))))
        Py_CLEAR(made);
    return made;
}

/* Returns an entry for a trace that begins here, in no table yet. */
static PyObject *new_trace(Calls *calls, PyObject *custom_id) {
    PyObject *trace = NULL, *hex_id = NULL, *anchor = NULL, *spans = NULL, *ended = NULL, *wire = wire_id(calls, custom_id);
    if (wire == NULL || (hex_id = hex_digits(PyTuple_GET_ITEM(wire, 0))) == NULL)
        goto done;
    long long wall = read_clock(calls->wall), ticks = read_clock(calls->ticks);
    if (wall < 0 || ticks < 0 || (anchor = PyLong_FromLongLong(wall - ticks)) == NULL || (spans = PyDict_New()) == NULL ||
        (ended = PyObject_CallOneArg((PyObject *)recent_type, spans_remembered)) == NULL)
        goto done;
    PyObject *scheme = PyTuple_GET_ITEM(wire, 1), *shown = custom_id == Py_None || PyUnicode_Compare(custom_id, hex_id) == 0 ? Py_None : custom_id;
    int is_random = PyUnicode_Compare(scheme, random_scheme) == 0;
    PyObject *fields[] = {PyTuple_GET_ITEM(wire, 0), hex_id, hex_id, scheme, is_random ? random_flags : own_flags, shown, anchor, spans, ended};
    trace = PyObject_Vectorcall((PyObject *)trace_type, fields, 9, NULL);
    if (trace != NULL && !PyObject_GC_IsTracked(trace))
        PyObject_GC_Track(trace); /* its slots are going to hold what the collector has to see */
done:
    Py_XDECREF(wire);
    Py_XDECREF(hex_id);
    Py_XDECREF(anchor);
    Py_XDECREF(spans);
    Py_XDECREF(ended);
    return trace;
}

/* Returns whether a new trace is the only one of its IDs: none that is open has them, and none that we closed ourselves is remembered. */
static int is_unknown(Calls *calls, PyObject *trace) {
    PyObject *custom_id = SLOT(trace, in_trace.custom_id);
    return PyDict_GET_SIZE(calls->closed) == 0 && PyDict_Contains(calls->traces, SLOT(trace, in_trace.hex_id)) == 0 &&
           (custom_id == Py_None || PyDict_Contains(calls->traces, custom_id) == 0);
}

/* Makes a new trace and its root addressable. Returns 0 where Python has to decide: the ID is open, the client has ended, or there is an error. */
static int enter_trace(Calls *calls, PyObject *client, PyObject *trace, PyObject *root, PyObject *roots) {
    PyObject *hex_id = SLOT(trace, in_trace.hex_id), *custom_id = SLOT(trace, in_trace.custom_id), *span_id = SLOT(root, in_span._span_id), *record = NULL;
    if ((calls->keeps_open && (record = record_of_start(calls, root, trace)) == NULL) || lock(calls) < 0) {
        Py_XDECREF(record);
        return 0;
    }
    PyObject *started = sum_of(calls->accounts, in_accounts.started, 1), *open = sum_of(calls->accounts, in_accounts.open, 1);
    int enters = started != NULL && open != NULL && is_on(client) && is_unknown(calls, trace);
    if (enters && (PyDict_SetItem(SLOT(trace, in_trace.spans), span_id, root) < 0 || PyDict_SetItem(calls->traces, hex_id, trace) < 0))
        enters = 0;
    if (enters && custom_id != Py_None && PyDict_SetItem(calls->traces, custom_id, trace) < 0) {
        PyDict_DelItem(calls->traces, hex_id);
        enters = 0;
    }
    if (enters) {
        set_slot(trace, in_trace.done, Py_False);
        set_slot(trace, in_trace.roots, roots);
        set_slot(calls->accounts, in_accounts.started, started);
        set_slot(calls->accounts, in_accounts.open, open);
        if (record != NULL)
            start_on_disk(calls, record, root);
    }
    unlock(calls);
    Py_XDECREF(record);
    Py_XDECREF(started);
    Py_XDECREF(open);
    return enters;
}

/* Begins a trace with arguments that are all usual, or left out. */
static PyObject *begin_plainly(PyObject *client, PyObject *custom_id, PyObject *place, PyObject *name, PyObject *type, PyObject *kind, PyObject *given_inputs,
                               PyObject *given_attributes) {
    PyObject *trace = NULL, *roots = NULL, *attributes = NULL, *inputs = NULL, *span = NULL;
    Calls *calls = calls_of(client);
    custom_id = custom_id == NULL ? Py_None : custom_id;
    if (calls == NULL || !calls->begins || !is_on(client) ||
        !(custom_id == Py_None || (PyUnicode_CheckExact(custom_id) && PyUnicode_IS_COMPACT_ASCII(custom_id) && PyUnicode_GET_LENGTH(custom_id) <= calls->text_limit)) ||
        (attributes = taken_attributes(calls, given_attributes)) == NULL || (inputs = taken_payload(calls, given_inputs)) == NULL ||
        (trace = new_trace(calls, custom_id)) == NULL || !is_unknown(calls, trace) ||
        (span = new_span(calls, client, trace, NULL, Py_None, name, type, kind, place, inputs, attributes)) == NULL)
        goto done;
    roots = PyTuple_Pack(1, span);
    if (roots == NULL || !enter_trace(calls, client, trace, span, roots)) {
        discard_span(span);
        span = NULL;
        goto done;
    }
    PyObject *running = PyObject_GetAttr(client, str_running);
    if (running != Py_True) {
        PyObject *begun = PyObject_CallMethodNoArgs(client, str_on_first_trace);
        if (begun == NULL && !PyErr_ExceptionMatches(PyExc_Exception))
            Py_CLEAR(span);
        else if (begun == NULL)
            PyErr_WriteUnraisable(client); /* the trace has begun: a result with an error set would be a SystemError for the caller */
        Py_XDECREF(begun);
    }
    Py_XDECREF(running);
done:
    Py_XDECREF(calls);
    Py_XDECREF(trace);
    Py_XDECREF(roots);
    Py_XDECREF(attributes);
    Py_XDECREF(inputs);
    return span;
}

/* `Starting.start_trace` */
static PyObject *start_trace(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[ALL_TRACE];
    if (sorted(given, trace_names, T_LINKS + 1, ALL_TRACE, args, count, kwnames) < 0 || !is_usual(given[T_NAME], given[T_SPAN_TYPE], given[T_KIND]) ||
        !ABSENT(given[T_TAGS]) || !ABSENT(given[T_EXPERIMENT]) || !ABSENT(given[T_START_TIME]) || !ABSENT(given[T_RUN]) || !ABSENT(given[T_LINKS]) ||
        !ABSENT(given[T_REQUEST_ID]) || !ABSENT(given[T_PARENT]) || !ABSENT(given[T_SPAN_ID]) || !(given[T_SHARED] == NULL || given[T_SHARED] == Py_False))
        return NULL;
    return begin_plainly(client, given[T_TRACE_ID], NULL, given[T_NAME], given[T_SPAN_TYPE], given[T_KIND], given[T_INPUTS], given[T_ATTRIBUTES]);
}

/* `Roots._begin_trace` */
static PyObject *begin_trace(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[ALL_BEGIN];
    if (sorted(given, begin_names, ALL_BEGIN, ALL_BEGIN, args, count, kwnames) < 0 || ABSENT(given[B_PLACE]) || given[B_SPAN_TYPE] == NULL ||
        !is_usual(given[B_NAME], given[B_SPAN_TYPE], given[B_KIND]) || !ABSENT(given[B_PARENT]) || !ABSENT(given[B_TAGS]) || !ABSENT(given[B_EXPERIMENT]) ||
        !ABSENT(given[B_START_TIME]) || !ABSENT(given[B_RUN]) || !ABSENT(given[B_LINKS]) || !ABSENT(given[B_SPAN_ID]) ||
        !(given[B_SHARED] == NULL || given[B_SHARED] == Py_False))
        return NULL;
    return begin_plainly(client, given[B_ID], given[B_PLACE], given[B_NAME], given[B_SPAN_TYPE], given[B_KIND], given[B_INPUTS], given[B_ATTRIBUTES]);
}

const Short begin_ways[] = {
    {"start_trace", start_trace, trace_names, trace_spelled, ALL_TRACE},
    {"_begin_trace", begin_trace, begin_names, begin_spelled, ALL_BEGIN},
};
