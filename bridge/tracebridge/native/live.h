/* What the files of the calls share: where Python's live objects keep what, and the small steps of which a call is made.

   The short way of the calls that every span passes. A `Method` (method.c) stands before a Python method of the client. It looks, without
   changing anything, at whether all is usual: exact types, open spans, plain values within the limits. Then it does what the Python method does, in the
   same order and under the same lock; otherwise it calls the Python method with the same arguments. From the first change to the last of a
   call no Python code runs but what the Python method calls there, too.

   Live objects are those of Python: their slots are read and written where their class says that they lie. */
#ifndef TRACEBRIDGE_LIVE_H
#define TRACEBRIDGE_LIVE_H

#include "native.h"

#define MAX_NAME 1024 /* as `tracebridge.spans.span` has it; `prepare_calls` compares */
#define RECORD_OVERHEAD 41 /* as `tracebridge.journal.memory` has it */
#define MOST_AT_ONCE 1024
#define LAST_KIND 5

#define CORE_SLOTS(X) X(_native)
#define SPAN_SLOTS(X)                                                                                                                      \
    X(_calls) X(_trace) X(_span_id) X(_raw_id) X(_parent_raw) X(_place) X(_name) X(_start_time_ns) X(_kind) X(_span_type) X(_end_time_ns) X(_cause) X(_inputs) \
    X(_outputs) X(_attributes) X(_fast_path) X(_code) X(_events) X(_origin) X(_is_root)
#define TRACE_SLOTS(X)                                                                                                                     \
    X(trace_id) X(hex_id) X(scheme) X(custom_id) X(anchor_ns) X(spans) X(ended) X(roots) X(tags) X(last_root) X(late_since) X(fast_path) X(decision) X(done)
#define RECENT_SLOTS(X) X(capacity) X(young)
#define ACCOUNTS_SLOTS(X) X(started) X(open)
#define MEMORY_SLOTS(X) X(_free) X(_records) X(_wake_at) X(end)

#define OFFSET(name) Py_ssize_t name;
extern struct in_core { CORE_SLOTS(OFFSET) } in_core;
extern struct in_span { SPAN_SLOTS(OFFSET) } in_span;
extern struct in_trace { TRACE_SLOTS(OFFSET) } in_trace;
extern struct in_recent { RECENT_SLOTS(OFFSET) } in_recent;
extern struct in_accounts { ACCOUNTS_SLOTS(OFFSET) } in_accounts;
extern struct in_memory { MEMORY_SLOTS(OFFSET) } in_memory;

/* What the Python code has under these names, and texts and numbers that are needed again and again. */
extern PyTypeObject *core_type, *span_type, *trace_type, *recent_type, *accounts_type, *memory_type, calls_type, method_type;
extern PyObject *keep_error, *finished, *remote, *pop_span_id, *more_span_ids, *own_flags, *random_flags, *spans_remembered;
extern PyObject *is_root_name, *one, *unknown, *hash_scheme, *random_scheme, *no_roots;
extern PyObject *show_place, *str_started, *str_off, *str_wait_turn, *str_append, *str_wake, *str_retire, *str_after_end, *str_running, *str_on_first_trace;

/* A slot of an object whose exact type has been checked. Borrowed; NULL when it is empty. */
#define SLOT(object, at) (*(PyObject **)((char *)(object) + (at)))
#define ABSENT(value) ((value) == NULL || (value) == Py_None)

static inline void set_slot(PyObject *object, Py_ssize_t at, PyObject *value) {
    PyObject *old = SLOT(object, at);
    SLOT(object, at) = Py_NewRef(value);
    Py_XDECREF(old);
}

/* What a client has that the short way needs. */
#define PARTS(X) X(traces) X(closed) X(finished) X(wire) X(random) X(wall) X(accounts) X(acquire) X(release) X(is_inside) X(journal) X(known) X(fast_attributes) X(fast_payload) X(ticks) X(places) X(held)

#define OBJECT(name) PyObject *name;
typedef struct {
    PyObject_HEAD
    PARTS(OBJECT)
    Py_ssize_t text_limit, most_attributes;
    int hashes, begins, keeps_open, commits; /* whether an odd text is hashed to a trace's ID; whether roots take the short way */
} Calls;


Calls *calls_of(PyObject *client);
int find_slot(PyTypeObject *type, const char *name, Py_ssize_t *at);
int begins_with(PyObject *type, const char *const *names, Py_ssize_t count);

/* steps.c */
int sorted(PyObject **given, PyObject **names, int positional, int all, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
int is_usual(PyObject *name, PyObject *type, PyObject *kind);
int is_on(PyObject *client);
long long natural(PyObject *value);
long long read_clock(PyObject *clock);
long long now_ns(Calls *calls, PyObject *trace);
PyObject *sum_of(PyObject *object, Py_ssize_t at, long long more);
int lock(Calls *calls);
void unlock(Calls *calls);
PyObject *taken_attributes(Calls *calls, PyObject *given);
PyObject *taken_payload(Calls *calls, PyObject *given);
PyObject *usual_trace(Calls *calls, PyObject *given);
PyObject *open_span(PyObject *trace, PyObject *span_id);

/* starting.c */
void discard_span(PyObject *span);
PyObject *new_span(Calls *calls, PyObject *client, PyObject *trace, PyObject *parent, PyObject *parent_id, PyObject *name, PyObject *type, PyObject *kind,
                   PyObject *place, PyObject *inputs, PyObject *attributes);

/* recording.c, ending.c, disk.c */
PyObject *finished_record(Calls *calls, PyObject *span, PyObject *trace, PyObject *outputs, long long code, long long *end_ns);
PyObject *record_of_start(Calls *calls, PyObject *span, PyObject *trace);
int wake(PyObject *journal, PyObject *wake_at, long long position);
int append_to_disk(Calls *calls, PyObject *record, PyObject *span);
void start_on_disk(Calls *calls, PyObject *record, PyObject *span);

/* A short way: a result; or NULL, without a change, for the Python way. An error that is set then is forgotten, if it is an `Exception`. */
typedef PyObject *(*Way)(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

typedef struct {
    const char *name; /* of the Python method */
    Way way;
    PyObject **names; /* of its parameters, without `self` */
    const char *const *spelled;
    int count;
} Short;

extern const Short start_ways[1], begin_ways[2], end_ways[4];

int intern_names(void); /* method.c */

#endif
