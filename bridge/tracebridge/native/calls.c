/* The short way of the calls that every span passes: starting and ending.

   A `Method` stands before a Python method of the client. It looks, without changing anything, at whether all is usual: exact types, open
   spans, plain values within the limits, nothing to say of a journal on disk. Then it does what the Python method does, in the same order and
   under the same lock; otherwise it calls the Python method with the same arguments. From the first change to the last of a call
   no Python code runs but what the Python method calls there, too.

   Live objects are those of Python: their slots are read and written where their class says that they lie. */

#include "native.h"
#include <structmember.h>

#include "msgpack.h"
#include "sha256.h"

#define MAX_NAME 1024 /* as `tracebridge.spans.span` has it; `prepare` compares */
#define MOST_AT_ONCE 1024
#define LAST_KIND 5

/* ---------------------------------------------------------------- what Python's objects look like */

#define CORE_SLOTS(X) X(_native)
#define SPAN_SLOTS(X)                                                                                                                      \
    X(_calls) X(_trace) X(_span_id) X(_raw_id) X(_parent_raw) X(_name) X(_start_time_ns) X(_kind) X(_span_type) X(_end_time_ns) X(_cause) X(_inputs) \
    X(_outputs) X(_attributes) X(_fast_path) X(_code) X(_events) X(_origin) X(_is_root)
#define TRACE_SLOTS(X)                                                                                                                     \
    X(trace_id) X(hex_id) X(scheme) X(custom_id) X(anchor_ns) X(spans) X(ended) X(roots) X(tags) X(last_root) X(late_since) X(fast_path) X(decision) X(done)
#define RECENT_SLOTS(X) X(capacity) X(young)
#define ACCOUNTS_SLOTS(X) X(started) X(open)
#define MEMORY_SLOTS(X) X(_free) X(_records) X(_wake_at) X(end)

#define OFFSET(name) Py_ssize_t name;
static struct { CORE_SLOTS(OFFSET) } in_core;
static struct { SPAN_SLOTS(OFFSET) } in_span;
static struct { TRACE_SLOTS(OFFSET) } in_trace;
static struct { RECENT_SLOTS(OFFSET) } in_recent;
static struct { ACCOUNTS_SLOTS(OFFSET) } in_accounts;
static struct { MEMORY_SLOTS(OFFSET) } in_memory;

static PyTypeObject *core_type, *span_type, *trace_type, *recent_type, *accounts_type, *memory_type;
static PyObject *keep_error, *finished, *remote, *pop_span_id, *more_span_ids; /* what the Python code has under these names */
static PyObject *own_flags, *random_flags, *spans_remembered;
static PyObject *is_root_name, *one, *unknown; /* ours */
static PyObject *str_off, *str_wait_turn, *str_append, *str_wake, *str_retire, *str_after_end, *str_running, *str_on_first_trace;
static PyObject *hash_scheme, *random_scheme, *no_roots;

/* A slot of an object whose exact type has been checked. Borrowed; NULL when it is empty. */
#define SLOT(object, at) (*(PyObject **)((char *)(object) + (at)))

static void set_slot(PyObject *object, Py_ssize_t at, PyObject *value) {
    PyObject *old = SLOT(object, at);
    SLOT(object, at) = Py_NewRef(value);
    Py_XDECREF(old);
}

static int find_slot(PyTypeObject *type, const char *name, Py_ssize_t *at) {
    PyObject *found = PyObject_GetAttrString((PyObject *)type, name);
    int is_slot = found != NULL && Py_TYPE(found) == &PyMemberDescr_Type && ((PyMemberDescrObject *)found)->d_member->type == T_OBJECT_EX;
    if (is_slot)
        *at = ((PyMemberDescrObject *)found)->d_member->offset;
    else
        PyErr_Format(PyExc_TypeError, "%s.%s is not a slot", type->tp_name, name);
    Py_XDECREF(found);
    return is_slot ? 0 : -1;
}

/* Returns whether the first fields of a struct have these names, because new ones are built by position. */
static int begins_with(PyObject *type, const char *const *names, Py_ssize_t count) {
    PyObject *fields = PyObject_GetAttrString(type, "__struct_fields__");
    int same = fields != NULL && PyTuple_Check(fields) && PyTuple_GET_SIZE(fields) >= count;
    for (Py_ssize_t k = 0; same && k < count; k++)
        same = PyUnicode_Check(PyTuple_GET_ITEM(fields, k)) && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(fields, k), names[k]) == 0;
    Py_XDECREF(fields);
    if (!same)
        PyErr_Format(PyExc_TypeError, "%s has other fields", ((PyTypeObject *)type)->tp_name);
    return same;
}

/* ---------------------------------------------------------------- what a client has that the short way needs */

#define PARTS(X) X(traces) X(closed) X(finished) X(wire) X(random) X(wall) X(accounts) X(acquire) X(release) X(is_inside) X(journal) X(known) X(fast_attributes) X(fast_payload) X(ticks)

#define OBJECT(name) PyObject *name;
typedef struct {
    PyObject_HEAD
    PARTS(OBJECT)
    Py_ssize_t text_limit, most_attributes;
    int hashes, begins; /* whether an odd text is hashed to a trace's ID; whether roots take the short way */
} Calls;

static PyTypeObject calls_type;

static PyObject *calls_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
#define NAME(name) #name,
    static char *names[] = {PARTS(NAME) "text_limit", "most_attributes", "hashes", "begins", NULL};
    Calls given = {0};
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O!O!O!OOOO!OOOOO!OOOnnpp:Calls", names, &PyDict_Type, &given.traces, &PyDict_Type, &given.closed, recent_type, &given.finished,
            &given.wire, &given.random, &given.wall, accounts_type, &given.accounts, &given.acquire, &given.release, &given.is_inside, &given.journal,
            &PySet_Type, &given.known, &given.fast_attributes, &given.fast_payload, &given.ticks, &given.text_limit, &given.most_attributes, &given.hashes,
            &given.begins))
        return NULL;
    Calls *self = (Calls *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
#define KEEP(name) self->name = Py_NewRef(given.name);
    PARTS(KEEP)
    self->text_limit = given.text_limit;
    self->most_attributes = given.most_attributes;
    self->hashes = given.hashes;
    self->begins = given.begins;
    return (PyObject *)self;
}

static int calls_traverse(Calls *self, visitproc visit, void *arg) {
#define VISIT(name) Py_VISIT(self->name);
    PARTS(VISIT)
    return 0;
}

static int calls_clear(Calls *self) {
#define CLEAR(name) Py_CLEAR(self->name);
    PARTS(CLEAR)
    return 0;
}

static void calls_dealloc(Calls *self) {
    PyObject_GC_UnTrack(self);
    calls_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyTypeObject calls_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tracebridge.native._functions.Calls",
    .tp_doc = "What the short way of the calls needs of one client.",
    .tp_basicsize = sizeof(Calls),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = calls_new,
    .tp_traverse = (traverseproc)calls_traverse,
    .tp_clear = (inquiry)calls_clear,
    .tp_dealloc = (destructor)calls_dealloc,
};

/* Returns a new reference to a client's `Calls`; NULL when it has none and goes the Python way. */
static Calls *calls_of(PyObject *client) {
    PyObject *found = core_type != NULL && PyObject_TypeCheck(client, core_type) ? SLOT(client, in_core._native) : NULL;
    return found != NULL && Py_TYPE(found) == &calls_type ? (Calls *)Py_NewRef(found) : NULL;
}

/* ---------------------------------------------------------------- small steps */

/* Sorts the arguments of a call into `given` by the names of the parameters; returns -1 for a call that Python has to look at.
   The names at a call are interned, and so are ours. */
static int sorted(PyObject **given, PyObject **names, int positional, int all, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
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

#define ABSENT(value) ((value) == NULL || (value) == Py_None)

static int is_short_text(PyObject *value) {
    return value != NULL && PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) <= MAX_NAME;
}

/* Returns the value of an exact int, or -1 (no error is set) for anything else and for what is negative or does not fit. */
static long long natural(PyObject *value) {
    int overflow;
    if (value == NULL || !PyLong_CheckExact(value))
        return -1;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow ? -1 : number;
}

/* Returns what a clock says in nanoseconds, or -1 for the Python way. */
static long long read_clock(PyObject *clock) {
    PyObject *said = PyObject_CallNoArgs(clock);
    long long number = natural(said);
    PyErr_Clear();
    Py_XDECREF(said);
    return number;
}

/* Returns a trace's time now, or -1 for the Python way. */
static long long now_ns(Calls *calls, PyObject *trace) {
    PyObject *anchor = SLOT(trace, in_trace.anchor_ns);
    int overflow = 1;
    long long from = anchor != NULL && PyLong_CheckExact(anchor) ? PyLong_AsLongLongAndOverflow(anchor, &overflow) : 0, passed = read_clock(calls->ticks);
    return overflow || passed < 0 || (from > 0 && passed > LLONG_MAX - from) ? -1 : from + passed;
}

/* Returns a number in a slot and so much more; what is changed together is made first, because that may fail. */
static PyObject *sum_of(PyObject *object, Py_ssize_t at, long long more) {
    long long number = natural(SLOT(object, at));
    return number < 0 ? NULL : PyLong_FromLongLong(number + more);
}

/* Takes the client's lock as `Accounts.acquire` says. */
static int lock(Calls *calls) {
    PyObject *taken = PyObject_CallOneArg(calls->acquire, Py_False);
    if (taken == Py_False)
        Py_SETREF(taken, PyObject_CallMethodNoArgs(calls->accounts, str_wait_turn));
    Py_XDECREF(taken);
    return taken == NULL ? -1 : 0;
}

/* Releases it; an error that is set stays. */
static void unlock(Calls *calls) {
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
static PyObject *taken_attributes(Calls *calls, PyObject *given) {
    PyObject *taken = plain_attributes(calls, given);
    if (taken != NULL || PyErr_Occurred())
        return taken;
    taken = PyObject_CallOneArg(calls->fast_attributes, given);
    if (taken != NULL && (!PyDict_CheckExact(taken) || PyDict_GET_SIZE(taken) > calls->most_attributes))
        Py_CLEAR(taken);
    return taken;
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

static int is_on(PyObject *client) {
    PyObject *off = PyObject_GetAttr(client, str_off);
    Py_XDECREF(off);
    return off == Py_False;
}

/* ---------------------------------------------------------------- starting a child */

enum { NAME_, TRACE_ID, PARENT_ID, SPAN_TYPE, INPUTS, ATTRIBUTES, START_TIME, LINKS, PARENT, REQUEST_ID, KIND, SPAN_ID, SHARED, PLACE, ALL_START };
static PyObject *start_names[ALL_START];
static const char *const start_spelled[ALL_START] = {"name", "trace_id", "parent_id", "span_type", "inputs", "attributes", "start_time_ns", "links", "parent",
                                                     "request_id", "kind", "span_id", "shared", "_place"};

/* Returns a trace that takes children the usual way: open, recorded, its root here. New reference. */
static PyObject *usual_trace(Calls *calls, PyObject *given) {
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
static PyObject *open_span(PyObject *trace, PyObject *span_id) {
    PyObject *span = NULL;
    if (span_id != NULL && PyUnicode_CheckExact(span_id))
        span = PyDict_GetItemWithError(SLOT(trace, in_trace.spans), span_id);
    return span != NULL && Py_TYPE(span) == span_type ? Py_NewRef(span) : NULL;
}

/* Puts a new span into its trace's table. Returns 1, or 0 when the trace has ended meanwhile or there is an error. */
static int enter_span(Calls *calls, PyObject *trace, PyObject *span) {
    PyObject *span_id = SLOT(span, in_span._span_id);
    if (lock(calls) < 0)
        return 0;
    PyObject *started = sum_of(calls->accounts, in_accounts.started, 1), *open = sum_of(calls->accounts, in_accounts.open, 1);
    int enters = started != NULL && open != NULL && SLOT(trace, in_trace.done) == Py_False && PyDict_SetItem(SLOT(trace, in_trace.spans), span_id, span) == 0;
    if (enters) {
        set_slot(calls->accounts, in_accounts.started, started);
        set_slot(calls->accounts, in_accounts.open, open);
    }
    unlock(calls);
    Py_XDECREF(started);
    Py_XDECREF(open);
    return enters;
}

/* Returns whether a name, a type and a kind, which may be left out, are usual. */
static int is_usual(PyObject *name, PyObject *type, PyObject *kind) {
    long long number = kind == NULL ? 1 : natural(kind);
    return is_short_text(name) && (type == NULL || is_short_text(type)) && number >= 0 && number <= LAST_KIND;
}

/* Returns inputs or outputs as they are recorded; NULL for the Python way. */
static PyObject *taken_payload(Calls *calls, PyObject *given) {
    if (ABSENT(given))
        return Py_NewRef(Py_None);
    PyObject *taken = PyObject_CallOneArg(calls->fast_payload, given);
    if (taken == Py_None)
        Py_CLEAR(taken);
    return taken;
}

/* Returns a new span that is in no table yet; `parent` is NULL for a root. */
static PyObject *new_span(Calls *calls, PyObject *client, PyObject *trace, PyObject *parent, PyObject *parent_id, PyObject *name, PyObject *type,
                          PyObject *kind, PyObject *place, PyObject *inputs, PyObject *attributes) {
    PyObject *span = NULL, *pair = NULL, *start_time = NULL, *parent_raw = parent == NULL ? Py_None : SLOT(parent, in_span._raw_id);
    PyObject *origin = parent == NULL ? Py_None : SLOT(parent, in_span._origin);
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
        if (span != NULL && !enter_span(calls, trace, span))
            Py_CLEAR(span);
    }
    Py_XDECREF(calls);
    Py_XDECREF(trace);
    Py_XDECREF(parent);
    Py_XDECREF(attributes);
    Py_XDECREF(inputs);
    return span;
}

/* ---------------------------------------------------------------- beginning a trace */

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

static PyObject *hex_of(PyObject *bytes) {
    static const char digits[] = "0123456789abcdef";
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);
    PyObject *text = PyUnicode_New(2 * size, 127);
    for (Py_ssize_t k = 0; text != NULL && k < size; k++) {
        unsigned char byte = (unsigned char)PyBytes_AS_STRING(bytes)[k];
        ((char *)PyUnicode_DATA(text))[2 * k] = digits[byte >> 4];
        ((char *)PyUnicode_DATA(text))[2 * k + 1] = digits[byte & 15];
    }
    return text;
}

/* Returns an entry for a trace that begins here, in no table yet. */
static PyObject *new_trace(Calls *calls, PyObject *custom_id) {
    PyObject *trace = NULL, *hex_id = NULL, *anchor = NULL, *spans = NULL, *ended = NULL, *wire = wire_id(calls, custom_id);
    if (wire == NULL || (hex_id = hex_of(PyTuple_GET_ITEM(wire, 0))) == NULL)
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

/* Makes a new trace and its root addressable. Returns 0 where Python has to decide: the ID is open, the client has ended, or there is an error. */
static int enter_trace(Calls *calls, PyObject *client, PyObject *trace, PyObject *root, PyObject *roots) {
    PyObject *hex_id = SLOT(trace, in_trace.hex_id), *custom_id = SLOT(trace, in_trace.custom_id), *span_id = SLOT(root, in_span._span_id);
    if (lock(calls) < 0)
        return 0;
    PyObject *started = sum_of(calls->accounts, in_accounts.started, 1), *open = sum_of(calls->accounts, in_accounts.open, 1);
    int enters = started != NULL && open != NULL && is_on(client) && PyDict_GET_SIZE(calls->closed) == 0 && PyDict_Contains(calls->traces, hex_id) == 0 &&
                 (custom_id == Py_None || PyDict_Contains(calls->traces, custom_id) == 0);
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
    }
    unlock(calls);
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
        (trace = new_trace(calls, custom_id)) == NULL ||
        (span = new_span(calls, client, trace, NULL, Py_None, name, type, kind, place, inputs, attributes)) == NULL)
        goto done;
    roots = PyTuple_Pack(1, span);
    if (roots == NULL || !enter_trace(calls, client, trace, span, roots)) {
        Py_CLEAR(span);
        goto done;
    }
    PyObject *running = PyObject_GetAttr(client, str_running);
    if (running != Py_True) {
        PyObject *begun = PyObject_CallMethodNoArgs(client, str_on_first_trace);
        if (begun == NULL && !PyErr_ExceptionMatches(PyExc_Exception))
            Py_CLEAR(span);
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

/* ---------------------------------------------------------------- ending */

/* Writes a finished span's record as `Ending._end` has it, but for the end's time, which stands between the two parts. */
static int write_record(Buffer *head, Buffer *rest, PyObject *span, PyObject *trace, PyObject *outputs, long long code) {
    PyObject *inputs = SLOT(span, in_span._inputs), *events = SLOT(span, in_span._events), *custom_id = SLOT(trace, in_trace.custom_id);
    PyObject *parent = SLOT(span, in_span._parent_raw);
    int says_scheme = SLOT(span, in_span._is_root) == Py_True && custom_id != Py_None;
    int is_long = inputs != Py_None || outputs != Py_None || says_scheme;
    long long kind = natural(SLOT(span, in_span._kind));
    if (events != Py_None || kind < 0)
        return -1;
    if (put_list_length(head, !is_long ? 11 : says_scheme ? 20 : 17) < 0 || put_bytes(head, SLOT(trace, in_trace.trace_id)) < 0 ||
        put_bytes(head, SLOT(span, in_span._raw_id)) < 0 || (parent == Py_None ? put_value(head, parent, 0) : put_bytes(head, parent)) < 0 ||
        put_text(head, SLOT(span, in_span._name)) < 0 || put_value(head, SLOT(span, in_span._start_time_ns), 0) < 0)
        return -1;
    if (put_int(rest, kind) < 0 || put_int(rest, code) < 0 || put_map(rest, SLOT(span, in_span._attributes), DEEPEST) < 0 ||
        put_text(rest, SLOT(span, in_span._span_type)) < 0 || put_value(rest, custom_id, 0) < 0)
        return -1;
    if (!is_long)
        return 0;
    if (put_raw(rest, "\xa8" "finished" "\xa0\xa0", 11) < 0 || put_value(rest, inputs, DEEPEST) < 0 || put_value(rest, outputs, DEEPEST) < 0 ||
        put_raw(rest, "\x90", 1) < 0)
        return -1;
    return says_scheme ? (put_raw(rest, "\x90\x80", 2) < 0 ? -1 : put_text(rest, SLOT(trace, in_trace.scheme))) : 0;
}

/* Returns a finished span's record as bytes, and when it ended; NULL (no error is set) for one that Python has to write. */
static PyObject *finished_record(Calls *calls, PyObject *span, PyObject *trace, PyObject *outputs, long long code, long long *end_ns) {
    Buffer head, rest;
    PyObject *record = NULL;
    buffer_begin(&head);
    buffer_begin(&rest);
    if (write_record(&head, &rest, span, trace, outputs, code) == 0 && (*end_ns = now_ns(calls, trace)) >= 0 && put_int(&head, *end_ns) == 0) {
        record = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(head.size + rest.size));
        if (record == NULL)
            PyErr_Clear();
        else {
            memcpy(PyBytes_AS_STRING(record), head.bytes, head.size);
            memcpy(PyBytes_AS_STRING(record) + head.size, rest.bytes, rest.size);
        }
    }
    buffer_end(&head);
    buffer_end(&rest);
    return record;
}

#define RECORD_OVERHEAD 41 /* as `tracebridge.journal.memory` has it; `prepare` compares */

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
        if (PyFloat_CheckExact(wake_at) ? (double)next >= PyFloat_AS_DOUBLE(wake_at) : next >= natural(wake_at)) {
            PyObject *woken = PyObject_CallMethodNoArgs(journal, str_wake);
            done = woken == NULL ? -1 : 1;
            Py_XDECREF(woken);
        }
    }
    Py_XDECREF(end);
    Py_XDECREF(left);
    return done;
}

static int append(Calls *calls, PyObject *record, PyObject *span) {
    int done = Py_TYPE(calls->journal) == memory_type ? append_to_memory(calls->journal, record) : 0;
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

/* Ends a span with nothing but outputs. Returns None; NULL without an error, and without a change, for one that Python has to end. */
static PyObject *end_plainly(Calls *calls, PyObject *client, PyObject *span, PyObject *given_outputs) {
    PyObject *outputs = Py_NewRef(Py_None), *result = NULL, *record = NULL, *trace = Py_XNewRef(SLOT(span, in_span._trace));
    PyObject *is_inside = PyObject_CallNoArgs(calls->is_inside), *end_time = NULL, *last_root = NULL;
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
    PyObject *spans = SLOT(trace, in_trace.spans), *young = SLOT(SLOT(trace, in_trace.ended), in_recent.young), *span_id = SLOT(span, in_span._span_id);
    if (PySet_Add(young, span_id) < 0 || PyDict_DelItem(spans, span_id) < 0) { /* in this order: it is a possible parent at any moment */
        PyErr_Clear();
        goto done;
    }
    set_slot(span, in_span._cause, finished);
    set_slot(span, in_span._code, code == 1 ? one : SLOT(span, in_span._code));
    set_slot(span, in_span._end_time_ns, end_time);
    set_slot(span, in_span._outputs, outputs);
    if (lock(calls) < 0)
        goto done;
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
    if (failed)
        goto done;
    result = Py_NewRef(Py_None);
    if ((is_root && SLOT(trace, in_trace.late_since) != Py_None) || PySet_GET_SIZE(young) > 65536)
        Py_SETREF(result, after_end(client, trace, is_root));
done:
    Py_XDECREF(is_inside);
    Py_XDECREF(outputs);
    Py_XDECREF(record);
    Py_XDECREF(end_time);
    Py_XDECREF(last_root);
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

/* ---------------------------------------------------------------- the method in front */

typedef PyObject *(*Way)(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

static const struct {
    const char *name; /* of the Python method */
    Way way;
    PyObject **names;
    const char *const *spelled;
    int count;
} ways[] = {
    {"start_span", start_span, start_names, start_spelled, ALL_START},
    {"start_trace", start_trace, trace_names, trace_spelled, ALL_TRACE},
    {"_begin_trace", begin_trace, begin_names, begin_spelled, ALL_BEGIN},
    {"_end", end, end_names, end_spelled, 6},
    {"end", end_self, end_self_names, end_self_spelled, 4},
    {"end_span", end_span, end_span_names, end_span_spelled, 7},
    {"end_trace", end_trace, end_trace_names, end_trace_spelled, 6},
};
#define WAYS ((int)(sizeof ways / sizeof ways[0]))

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *python; /* the method that it stands before */
    PyObject *dict;
    Way way;
} Method;

static PyObject *method_call(PyObject *self, PyObject *const *args, size_t flags, PyObject *kwnames) {
    Method *method = (Method *)self;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count > 0) {
        PyObject *result = method->way(args[0], args + 1, count - 1, kwnames);
        if (result != NULL)
            return result;
        if (PyErr_Occurred()) {
            if (!PyErr_ExceptionMatches(PyExc_Exception))
                return NULL; /* Ctrl-C, in Python code that the short way called */
            PyErr_Clear();
        }
    }
    return PyObject_Vectorcall(method->python, args, flags, kwnames);
}

static PyObject *method_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *python;
    if (!PyArg_ParseTuple(args, "O!:Method", &PyFunction_Type, &python))
        return NULL;
    PyObject *name = ((PyFunctionObject *)python)->func_name;
    for (int at = 0; at < WAYS; at++)
        if (PyUnicode_CompareWithASCIIString(name, ways[at].name) == 0) {
            Method *self = (Method *)type->tp_alloc(type, 0);
            if (self == NULL)
                return NULL;
            self->vectorcall = method_call;
            self->python = Py_NewRef(python);
            self->way = ways[at].way;
            return (PyObject *)self;
        }
    PyErr_Format(PyExc_ValueError, "there is no short way for %R", name);
    return NULL;
}

static PyObject *method_get(PyObject *self, PyObject *object, PyObject *type) {
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

static int method_traverse(Method *self, visitproc visit, void *arg) {
    Py_VISIT(self->python);
    Py_VISIT(self->dict);
    return 0;
}

static int method_clear(Method *self) {
    Py_CLEAR(self->dict);
    return 0;
}

static void method_dealloc(Method *self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->python);
    Py_CLEAR(self->dict);
    Py_TYPE(self)->tp_free(self);
}

static PyGetSetDef method_members[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict}, {NULL}};

static PyTypeObject method_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tracebridge.native._functions.Method",
    .tp_doc = "A method with a short way in front of it.",
    .tp_basicsize = sizeof(Method),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = method_new,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Method, vectorcall),
    .tp_descr_get = method_get,
    .tp_getset = method_members,
    .tp_dictoffset = offsetof(Method, dict),
    .tp_traverse = (traverseproc)method_traverse,
    .tp_clear = (inquiry)method_clear,
    .tp_dealloc = (destructor)method_dealloc,
};

/* ---------------------------------------------------------------- what is told once */

/* Takes the classes and constants of the Python code. Raises TypeError when a class is not as this file has it, and then nothing may be used. */
PyObject *prepare_calls(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"core", "span", "trace", "recent", "accounts", "memory", "keep_error", "finished", "remote", "pop_span_id", "more_span_ids",
                            "own_flags", "random_flags", "spans_remembered", "max_name", "record_overhead", NULL};
    PyObject *core, *span, *trace, *recent, *accounts, *memory, *error, *done, *elsewhere, *pop, *more, *own, *any, *remembered;
    int max_name, overhead;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!O!O!O!OOOOOO!O!O!ii:prepare_calls", names, &PyType_Type, &core, &PyType_Type, &span, &PyType_Type, &trace, &PyType_Type, &recent,
                                     &PyType_Type, &accounts, &PyType_Type, &memory, &error, &done, &elsewhere, &pop, &more,
                                     &PyLong_Type, &own, &PyLong_Type, &any, &PyLong_Type, &remembered, &max_name, &overhead))
        return NULL;
    if (core_type != NULL)
        return PyErr_Format(PyExc_RuntimeError, "the calls are prepared already");
    if (max_name != MAX_NAME || overhead != RECORD_OVERHEAD)
        return PyErr_Format(PyExc_TypeError, "limits are not those that the native module was built for");
#define CORE(name) find_slot((PyTypeObject *)core, #name, &in_core.name) < 0 ||
#define SPAN(name) find_slot((PyTypeObject *)span, #name, &in_span.name) < 0 ||
#define TRACE(name) find_slot((PyTypeObject *)trace, #name, &in_trace.name) < 0 ||
#define RECENT(name) find_slot((PyTypeObject *)recent, #name, &in_recent.name) < 0 ||
#define ACCOUNTS(name) find_slot((PyTypeObject *)accounts, #name, &in_accounts.name) < 0 ||
#define MEMORY(name) find_slot((PyTypeObject *)memory, #name, &in_memory.name) < 0 ||
    if (CORE_SLOTS(CORE) SPAN_SLOTS(SPAN) TRACE_SLOTS(TRACE) RECENT_SLOTS(RECENT) ACCOUNTS_SLOTS(ACCOUNTS) MEMORY_SLOTS(MEMORY) 0)
        return NULL;
    static const char *const span_begin[] = {"_calls", "_trace", "_span_id", "_raw_id", "_parent_id", "_parent_raw", "_name", "_start_time_ns", "_place", "_kind",
                                             "_span_type", "_attributes", "_origin", "_is_root"};
    static const char *const trace_begin[] = {"trace_id", "hex_id", "outgoing_id", "scheme", "flags", "custom_id", "anchor_ns", "spans", "ended"};
    if (!begins_with(span, span_begin, 14) || !begins_with(trace, trace_begin, 9))
        return NULL;
    core_type = (PyTypeObject *)Py_NewRef(core); /* kept for as long as the process lives, as the module is */
    span_type = (PyTypeObject *)Py_NewRef(span);
    trace_type = (PyTypeObject *)Py_NewRef(trace);
    recent_type = (PyTypeObject *)Py_NewRef(recent);
    accounts_type = (PyTypeObject *)Py_NewRef(accounts);
    memory_type = (PyTypeObject *)Py_NewRef(memory);
    keep_error = Py_NewRef(error);
    finished = Py_NewRef(done);
    remote = Py_NewRef(elsewhere);
    pop_span_id = Py_NewRef(pop);
    more_span_ids = Py_NewRef(more);
    own_flags = Py_NewRef(own);
    random_flags = Py_NewRef(any);
    spans_remembered = Py_NewRef(remembered);
    Py_RETURN_NONE;
}

/* Adds `Calls`, `Method` and the texts that they look for. */
int add_calls(PyObject *module) {
    static const struct {
        PyObject **place;
        const char *text;
    } texts[] = {
        {&str_off, "_off"}, {&str_wait_turn, "wait_turn"}, {&str_append, "append"},
        {&str_wake, "_wake"}, {&str_retire, "_retire"}, {&str_after_end, "_after_end"}, {&unknown, "UNKNOWN"},
        {&str_running, "_running"}, {&str_on_first_trace, "_on_first_trace"}, {&hash_scheme, "hash"}, {&random_scheme, "random"},
    };
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++)
        if ((*texts[at].place = PyUnicode_InternFromString(texts[at].text)) == NULL)
            return -1;
    for (int at = 0; at < WAYS; at++)
        for (int k = 0; k < ways[at].count; k++)
            if ((ways[at].names[k] = PyUnicode_InternFromString(ways[at].spelled[k])) == NULL)
                return -1;
    if ((one = PyLong_FromLong(1)) == NULL || (no_roots = PyTuple_New(0)) == NULL || (is_root_name = Py_BuildValue("(s)", "is_root")) == NULL)
        return -1;
    return PyModule_AddType(module, &calls_type) < 0 || PyModule_AddType(module, &method_type) < 0 ? -1 : 0;
}
