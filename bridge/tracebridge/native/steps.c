/* The small steps of which a call is made: looking at what is given, reading a clock, taking the lock. See live.h. */

#include "live.h"

/* Sorts the arguments of a call into `given` by the names of the parameters; returns -1 for a call that Python has to look at.
   The names at a call are interned, and so are ours. */
int sorted(PyObject **given, PyObject **names, int positional, int all, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (count > positional)
        return -1;
    memset(given, 0, sizeof(PyObject *) * (size_t)all);
    memcpy(given, args, sizeof(PyObject *) * (size_t)count);
    for (Py_ssize_t k = 0; k < named; k++) {
        int at = 0;
        while (at < all && names[at] != PyTuple_GET_ITEM(kwnames, k))
            at++;
        if (at == all || given[at] != NULL)
            return -1;
        given[at] = args[count + k];
    }
    return 0;
}

static int is_short_text(PyObject *value) {
    return value != NULL && PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) <= MAX_NAME;
}

/* Returns the value of an exact int, or -1 (no error is set) for anything else and for what is negative or does not fit. */
long long natural(PyObject *value) {
    int overflow;
    if (value == NULL || !PyLong_CheckExact(value))
        return -1;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow ? -1 : number;
}

/* Returns what a clock says in nanoseconds, or -1 for the Python way. */
long long read_clock(PyObject *clock) {
    PyObject *said = PyObject_CallNoArgs(clock);
    long long number = natural(said);
    PyErr_Clear();
    Py_XDECREF(said);
    return number;
}

/* Returns a trace's time now, or -1 for the Python way. */
long long now_ns(Calls *calls, PyObject *trace) {
    PyObject *anchor = SLOT(trace, in_trace.anchor_ns);
    int overflow = 1;
    long long from = anchor != NULL && PyLong_CheckExact(anchor) ? PyLong_AsLongLongAndOverflow(anchor, &overflow) : 0, passed = read_clock(calls->ticks);
    return overflow || passed < 0 || (from > 0 && passed > LLONG_MAX - from) ? -1 : from + passed;
}

/* Returns a number in a slot and so much more; what is changed together is made first, because that may fail. */
PyObject *sum_of(PyObject *object, Py_ssize_t at, long long more) {
    long long number = natural(SLOT(object, at));
    return number < 0 ? NULL : PyLong_FromLongLong(number + more);
}

/* Takes the client's lock as `Accounts.acquire` says. */
int lock(Calls *calls) {
    PyObject *taken = PyObject_CallOneArg(calls->acquire, Py_False);
    if (taken == Py_False)
        Py_SETREF(taken, PyObject_CallMethodNoArgs(calls->accounts, str_wait_turn));
    Py_XDECREF(taken);
    return taken == NULL ? -1 : 0;
}

/* Releases it; an error that is set stays. */
void unlock(Calls *calls) {
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyObject *done = PyObject_CallNoArgs(calls->release);
    if (done == NULL)
        PyErr_WriteUnraisable(calls->release);
    Py_XDECREF(done);
    PyErr_Restore(kind, error, trace);
}

/* As "Bearer …" and "Basic …" begin, in any case. */
static int may_be_credential(PyObject *text) {
    if (PyUnicode_GET_LENGTH(text) < 6 || (PyUnicode_READ_CHAR(text, 0) | 32) != 'b')
        return 0;
    Py_UCS4 second = PyUnicode_READ_CHAR(text, 1) | 32;
    return second == 'e' || second == 'a';
}

/* Returns a copy of a mapping of known keys to plain values within the limits; NULL without an error for any other. */
static PyObject *plain_attributes(Calls *calls, PyObject *given) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (given == NULL || given == Py_None)
        return PyDict_New();
    if (!PyDict_CheckExact(given) || PyDict_GET_SIZE(given) > Py_MIN(MOST_AT_ONCE, calls->most_attributes))
        return NULL;
    PyObject *taken = PyDict_Copy(given);
    while (taken != NULL && PyDict_Next(taken, &at, &key, &value)) {
        int plain = PyUnicode_CheckExact(key) && PySet_Contains(calls->known, key) == 1;
        if (plain && PyUnicode_CheckExact(value)) {
            Py_ssize_t length = PyUnicode_GET_LENGTH(value);
            plain = length <= calls->text_limit && !may_be_credential(value);
        }
        else if (plain && PyLong_CheckExact(value)) {
            int overflow;
            PyLong_AsLongLongAndOverflow(value, &overflow);
            plain = !overflow;
        }
        else
            plain = plain && (PyBool_Check(value) || PyFloat_CheckExact(value));
        if (!plain)
            Py_CLEAR(taken);
    }
    return taken;
}

/* Attributes that `plain_attributes` does not take may still be plain: new keys, a text with a "b". */
PyObject *taken_attributes(Calls *calls, PyObject *given) {
    PyObject *taken = plain_attributes(calls, given);
    if (taken != NULL || PyErr_Occurred())
        return taken;
    taken = PyObject_CallOneArg(calls->fast_attributes, given);
    if (taken != NULL && (!PyDict_CheckExact(taken) || PyDict_GET_SIZE(taken) > calls->most_attributes))
        Py_CLEAR(taken);
    return taken;
}

int is_on(PyObject *client) {
    PyObject *off = PyObject_GetAttr(client, str_off);
    Py_XDECREF(off);
    return off == Py_False;
}

/* Returns a trace that takes children the usual way: open, recorded, its root here. New reference. */
PyObject *usual_trace(Calls *calls, PyObject *given) {
    PyObject *trace = given;
    if (given != NULL && PyUnicode_CheckExact(given))
        trace = PyDict_GetItemWithError(calls->traces, given);
    if (trace == NULL || Py_TYPE(trace) != trace_type)
        return NULL;
    PyObject *spans = SLOT(trace, in_trace.spans);
    int usual = SLOT(trace, in_trace.decision) == Py_None && SLOT(trace, in_trace.done) == Py_False && SLOT(trace, in_trace.scheme) != remote &&
                spans != NULL && PyDict_CheckExact(spans);
    return usual ? Py_NewRef(trace) : NULL;
}

/* Returns a span of a trace that is open. New reference. */
PyObject *open_span(PyObject *trace, PyObject *span_id) {
    PyObject *span = NULL;
    if (span_id != NULL && PyUnicode_CheckExact(span_id))
        span = PyDict_GetItemWithError(SLOT(trace, in_trace.spans), span_id);
    return span != NULL && Py_TYPE(span) == span_type ? Py_NewRef(span) : NULL;
}

/* Returns whether a name, a type and a kind, which may be left out, are usual. */
int is_usual(PyObject *name, PyObject *type, PyObject *kind) {
    long long number = kind == NULL ? 1 : natural(kind);
    return is_short_text(name) && (type == NULL || is_short_text(type)) && number >= 0 && number <= LAST_KIND;
}

/* Returns inputs or outputs as they are recorded; NULL for the Python way. */
PyObject *taken_payload(Calls *calls, PyObject *given) {
    if (ABSENT(given))
        return Py_NewRef(Py_None);
    PyObject *taken = PyObject_CallOneArg(calls->fast_payload, given);
    if (taken == Py_None)
        Py_CLEAR(taken);
    return taken;
}

