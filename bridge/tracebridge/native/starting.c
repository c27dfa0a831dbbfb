/* Starting a child of an open span: `Starting.start_span`. See live.h. */

#include "live.h"

enum { NAME_, TRACE_ID, PARENT_ID, SPAN_TYPE, INPUTS, ATTRIBUTES, START_TIME, LINKS, PARENT, REQUEST_ID, KIND, SPAN_ID, SHARED, PLACE, ALL_START };
static PyObject *start_names[ALL_START];
static const char *const start_spelled[ALL_START] = {"name", "trace_id", "parent_id", "span_type", "inputs", "attributes", "start_time_ns", "links", "parent",
                                                     "request_id", "kind", "span_id", "shared", "_place"};

/* Puts a new span into its trace's table. Returns 1, or 0 when the trace has ended meanwhile or there is an error. */
static int enter_span(Calls *calls, PyObject *trace, PyObject *span) {
    PyObject *span_id = SLOT(span, in_span._span_id), *record = NULL;
    if ((calls->keeps_open && (record = record_of_start(calls, span, trace)) == NULL) || lock(calls) < 0) {
        Py_XDECREF(record);
        return 0;
    }
    PyObject *started = sum_of(calls->accounts, in_accounts.started, 1), *open = sum_of(calls->accounts, in_accounts.open, 1);
    int enters = started != NULL && open != NULL && SLOT(trace, in_trace.done) == Py_False && PyDict_SetItem(SLOT(trace, in_trace.spans), span_id, span) == 0;
    if (enters) {
        set_slot(calls->accounts, in_accounts.started, started);
        set_slot(calls->accounts, in_accounts.open, open);
        if (record != NULL)
            start_on_disk(calls, record, span);
    }
    unlock(calls);
    Py_XDECREF(record);
    Py_XDECREF(started);
    Py_XDECREF(open);
    return enters;
}

/* Returns where the caller stands, as `tracebridge.spans.place` has it. */
static PyObject *place_of_caller(void) {
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame == NULL)
        return NULL;
    PyObject *code = (PyObject *)PyFrame_GetCode(frame), *at = PyLong_FromLong(PyFrame_GetLasti(frame));
    PyObject *place = at == NULL ? NULL : PyTuple_Pack(2, code, at);
    Py_DECREF(code);
    Py_XDECREF(at);
    return place;
}

/* Returns (8 bytes, 16 hex digits). */
static PyObject *new_span_id(void) {
    PyObject *pair = PyObject_CallNoArgs(pop_span_id);
    if (pair == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
        pair = PyObject_CallNoArgs(more_span_ids);
    }
    if (pair != NULL && !(PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2 && PyUnicode_CheckExact(PyTuple_GET_ITEM(pair, 1))))
        Py_CLEAR(pair);
    return pair;
}

/* Gives back the ID of a span that nothing knows of: the Python method, which makes the span instead, takes the same. */
void discard_span(PyObject *span) {
    PyObject *list = PyCFunction_Check(pop_span_id) ? PyCFunction_GET_SELF(pop_span_id) : NULL;
    PyObject *kind, *error, *trace, *pair;
    PyErr_Fetch(&kind, &error, &trace);
    pair = Py_BuildValue("(OO)", SLOT(span, in_span._raw_id), SLOT(span, in_span._span_id));
    if (pair == NULL || list == NULL || !PyList_CheckExact(list) || PyList_Append(list, pair) < 0)
        PyErr_Clear();
    Py_XDECREF(pair);
    PyErr_Restore(kind, error, trace);
    Py_DECREF(span);
}

/* Returns a new span that is in no table yet; `parent` is NULL for a root. */
PyObject *new_span(Calls *calls, PyObject *client, PyObject *trace, PyObject *parent, PyObject *parent_id, PyObject *name, PyObject *type,
                          PyObject *kind, PyObject *place, PyObject *inputs, PyObject *attributes) {
    PyObject *span = NULL, *pair = NULL, *start_time = NULL, *parent_raw = Py_XNewRef(parent == NULL ? Py_None : SLOT(parent, in_span._raw_id));
    PyObject *origin = Py_XNewRef(parent == NULL ? Py_None : SLOT(parent, in_span._origin));
    place = ABSENT(place) ? place_of_caller() : Py_NewRef(place);
    if (place == NULL || parent_raw == NULL || origin == NULL || (pair = new_span_id()) == NULL)
        goto done;
    long long start = now_ns(calls, trace);
    if (start < 0 || (start_time = PyLong_FromLongLong(start)) == NULL)
        goto done;
    PyObject *fields[] = {
        client, trace, PyTuple_GET_ITEM(pair, 1), PyTuple_GET_ITEM(pair, 0), parent_id, parent_raw, name, start_time, place, kind == NULL ? one : kind,
        type == NULL ? unknown : type, attributes, origin, parent == NULL ? Py_True : Py_False,
    };
    span = PyObject_Vectorcall((PyObject *)span_type, fields, sizeof fields / sizeof *fields, NULL);
    if (span != NULL)
        set_slot(span, in_span._inputs, inputs);
done:
    Py_XDECREF(parent_raw);
    Py_XDECREF(origin);
    Py_XDECREF(place);
    Py_XDECREF(pair);
    Py_XDECREF(start_time);
    return span;
}

static PyObject *start_span(PyObject *client, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *given[ALL_START], *trace = NULL, *parent = NULL, *attributes = NULL, *inputs = NULL, *span = NULL;
    if (sorted(given, start_names, LINKS + 1, ALL_START, args, count, kwnames) < 0 || !ABSENT(given[START_TIME]) || !ABSENT(given[LINKS]) ||
        !ABSENT(given[PARENT]) || !ABSENT(given[REQUEST_ID]) || !ABSENT(given[SPAN_ID]) || !(given[SHARED] == NULL || given[SHARED] == Py_False) ||
        !is_usual(given[NAME_], given[SPAN_TYPE], given[KIND]))
        return NULL;
    Calls *calls = calls_of(client);
    if (calls != NULL && (trace = usual_trace(calls, given[TRACE_ID])) != NULL && (parent = open_span(trace, given[PARENT_ID])) != NULL &&
        (attributes = taken_attributes(calls, given[ATTRIBUTES])) != NULL && (inputs = taken_payload(calls, given[INPUTS])) != NULL) {
        span = new_span(calls, client, trace, parent, given[PARENT_ID], given[NAME_], given[SPAN_TYPE], given[KIND], given[PLACE], inputs, attributes);
        if (span != NULL && !enter_span(calls, trace, span)) {
            discard_span(span);
            span = NULL;
        }
    }
    Py_XDECREF(calls);
    Py_XDECREF(trace);
    Py_XDECREF(parent);
    Py_XDECREF(attributes);
    Py_XDECREF(inputs);
    return span;
}

const Short start_ways[] = {{"start_span", start_span, start_names, start_spelled, ALL_START}};
