/* Where Python's live objects keep what, and what of a client the short way needs. See live.h. */

#include "live.h"

#include <structmember.h>

struct in_core in_core;
struct in_span in_span;
struct in_trace in_trace;
struct in_recent in_recent;
struct in_accounts in_accounts;
struct in_memory in_memory;

PyTypeObject *core_type, *span_type, *trace_type, *recent_type, *accounts_type, *memory_type;
PyObject *keep_error, *finished, *remote, *pop_span_id, *more_span_ids, *own_flags, *random_flags, *spans_remembered;
PyObject *is_root_name, *one, *unknown, *hash_scheme, *random_scheme, *no_roots;
PyObject *show_place, *str_started, *str_off, *str_wait_turn, *str_append, *str_wake, *str_retire, *str_after_end, *str_running, *str_on_first_trace;

int find_slot(PyTypeObject *type, const char *name, Py_ssize_t *at) {
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
int begins_with(PyObject *type, const char *const *names, Py_ssize_t count) {
    PyObject *fields = PyObject_GetAttrString(type, "__struct_fields__");
    int same = fields != NULL && PyTuple_Check(fields) && PyTuple_GET_SIZE(fields) >= count;
    for (Py_ssize_t k = 0; same && k < count; k++)
        same = PyUnicode_Check(PyTuple_GET_ITEM(fields, k)) && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(fields, k), names[k]) == 0;
    Py_XDECREF(fields);
    if (!same)
        PyErr_Format(PyExc_TypeError, "%s has other fields", ((PyTypeObject *)type)->tp_name);
    return same;
}

static PyObject *calls_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
#define NAME(name) #name,
    static char *names[] = {PARTS(NAME) "text_limit", "most_attributes", "hashes", "begins", "keeps_open", "commits", NULL};
    Calls given = {0};
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O!O!O!OOOO!OOOOO!OOOO!O!nnpppp:Calls", names, &PyDict_Type, &given.traces, &PyDict_Type, &given.closed, recent_type, &given.finished,
            &given.wire, &given.random, &given.wall, accounts_type, &given.accounts, &given.acquire, &given.release, &given.is_inside, &given.journal,
            &PySet_Type, &given.known, &given.fast_attributes, &given.fast_payload, &given.ticks, &PyDict_Type, &given.places, &PySet_Type, &given.held, &given.text_limit, &given.most_attributes, &given.hashes,
            &given.begins, &given.keeps_open, &given.commits))
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
    self->keeps_open = given.keeps_open;
    self->commits = given.commits;
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

PyTypeObject calls_type = {
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
Calls *calls_of(PyObject *client) {
    PyObject *found = core_type != NULL && PyObject_TypeCheck(client, core_type) ? SLOT(client, in_core._native) : NULL;
    return found != NULL && Py_TYPE(found) == &calls_type ? (Calls *)Py_NewRef(found) : NULL;
}

/* ---------------------------------------------------------------- what is told once */

/* Takes the classes and constants of the Python code. Raises TypeError when a class is not as this file has it, and then nothing may be used. */
PyObject *prepare_calls(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"core", "span", "trace", "recent", "accounts", "memory", "keep_error", "finished", "remote", "pop_span_id", "more_span_ids", "show_place",
                            "own_flags", "random_flags", "spans_remembered", "max_name", "record_overhead", NULL};
    PyObject *core, *span, *trace, *recent, *accounts, *memory, *error, *done, *elsewhere, *pop, *more, *shown, *own, *any, *remembered;
    int max_name, overhead;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!O!O!O!OOOOOOO!O!O!ii:prepare_calls", names, &PyType_Type, &core, &PyType_Type, &span, &PyType_Type, &trace, &PyType_Type, &recent,
                                     &PyType_Type, &accounts, &PyType_Type, &memory, &error, &done, &elsewhere, &pop, &more, &shown,
                                     &PyLong_Type, &own, &PyLong_Type, &any, &PyLong_Type, &remembered, &max_name, &overhead))
        return NULL;
    if (core_type != NULL)
        return PyErr_Format(PyExc_TypeError, "another interpreter of this process has them");
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
    show_place = Py_NewRef(shown);
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
        {&str_off, "_off"}, {&str_wait_turn, "wait_turn"}, {&str_append, "append"}, {&str_started, "started"},
        {&str_wake, "_wake"}, {&str_retire, "_retire"}, {&str_after_end, "_after_end"}, {&unknown, "UNKNOWN"},
        {&str_running, "_running"}, {&str_on_first_trace, "_on_first_trace"}, {&hash_scheme, "hash"}, {&random_scheme, "random"},
    };
    if (no_roots != NULL) /* of another interpreter of this process, which keeps them */
        return PyModule_AddType(module, &calls_type) < 0 || PyModule_AddType(module, &method_type) < 0 ? -1 : 0;
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++)
        if ((*texts[at].place = PyUnicode_InternFromString(texts[at].text)) == NULL)
            return -1;
    if (intern_names() < 0 || (one = PyLong_FromLong(1)) == NULL || (no_roots = PyTuple_New(0)) == NULL || (is_root_name = Py_BuildValue("(s)", "is_root")) == NULL)
        return -1;
    return PyModule_AddType(module, &calls_type) < 0 || PyModule_AddType(module, &method_type) < 0 ? -1 : 0;
}
