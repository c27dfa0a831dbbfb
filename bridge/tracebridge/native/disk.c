/* Records in the journal on disk: twin of `Segment.put`, and of `DiskJournal.append` and `started` where the segment has room. Called with the
   client's lock held. See live.h. */

#include "live.h"

#define HEAD_BYTES 12 /* as `tracebridge.journal.segment` has these; `prepare_disk` compares */
#define FINISHED 1
#define STARTED 2
#define MAX_BODY ((1 << 28) - 1)

#define JOURNAL_SLOTS(X) X(_free) X(_current) X(_wake_at) X(end)
#define SEGMENT_SLOTS(X) X(_memory) X(_mark) X(_salt) X(at) X(offsets) X(path)

static struct { JOURNAL_SLOTS(OFFSET) } in_journal;
static struct { SEGMENT_SLOTS(OFFSET) } in_segment;
static PyTypeObject *journal_type, *segment_type;
static PyObject *crc32;

/* Returns the segment that is written and has room for a record; borrowed, NULL where Python has to see to it. */
static PyObject *with_room(PyObject *journal, PyObject *record) {
    if (journal_type == NULL || Py_TYPE(journal) != journal_type || PyBytes_GET_SIZE(record) > MAX_BODY)
        return NULL;
    PyObject *segment = SLOT(journal, in_journal._current);
    int has_room = PyBytes_GET_SIZE(record) + HEAD_BYTES <= natural(SLOT(journal, in_journal._free));
    return has_room && segment != NULL && Py_TYPE(segment) == segment_type && SLOT(segment, in_segment.path) != Py_None ? segment : NULL;
}

/* Writes a record and sets the numbers that say so. Returns 1; 0, without a change, where Python has to do it. */
static int put_record(PyObject *journal, PyObject *segment, uint32_t kind, PyObject *record) {
    PyObject *mark = SLOT(segment, in_segment._mark), *memory = SLOT(segment, in_segment._memory);
    Py_ssize_t size = PyBytes_GET_SIZE(record);
    long long at = natural(SLOT(segment, in_segment.at)), salt = natural(SLOT(segment, in_segment._salt));
    uint32_t word = (uint32_t)size << 4 | kind;
    if (at < 0 || salt < 0 || salt > UINT32_MAX || mark == NULL || !PyBytes_CheckExact(mark) || PyBytes_GET_SIZE(mark) != 4 || memory == NULL)
        return 0;
    PyObject *start = PyLong_FromUnsignedLong((uint32_t)salt ^ word), *checksum = NULL, *next = PyLong_FromLongLong(at + HEAD_BYTES + size);
    PyObject *left = sum_of(journal, in_journal._free, -(HEAD_BYTES + (long long)size)), *args[] = {record, start};
    if (start != NULL && next != NULL && left != NULL)
        checksum = PyObject_Vectorcall(crc32, args, 2, NULL);
    Py_buffer view;
    int done = checksum != NULL && PyLong_CheckExact(checksum) && PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE) == 0;
    if (done) {
        done = at + HEAD_BYTES + size <= view.len;
        if (done) {
            uint32_t head[2] = {word, (uint32_t)PyLong_AsUnsignedLongMask(checksum)};
            uint8_t *to = (uint8_t *)view.buf + at, bytes[HEAD_BYTES];
            memcpy(to + HEAD_BYTES, PyBytes_AS_STRING(record), (size_t)size);
            memcpy(bytes, PyBytes_AS_STRING(mark), 4);
            for (int k = 0; k < 8; k++)
                bytes[4 + k] = (uint8_t)(head[k / 4] >> 8 * (k % 4));
            __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the body before its head: a process that dies in between leaves nothing half visible */
            memcpy(to, bytes, HEAD_BYTES);
            set_slot(segment, in_segment.at, next);
            set_slot(journal, in_journal._free, left);
        }
        PyBuffer_Release(&view);
    }
    if (!done)
        PyErr_Clear();
    Py_XDECREF(start);
    Py_XDECREF(next);
    Py_XDECREF(left);
    Py_XDECREF(checksum);
    return done;
}

/* Returns 1; 0, without a change, where the journal has to do it itself; -1 for an error. */
int append_to_disk(Calls *calls, PyObject *record, PyObject *span) {
    PyObject *journal = calls->journal, *segment = with_room(journal, record);
    if (segment == NULL || PySet_GET_SIZE(calls->held) != 0)
        return 0;
    PyObject *at = Py_XNewRef(SLOT(segment, in_segment.at)), *wake_at = SLOT(journal, in_journal._wake_at), *end = sum_of(journal, in_journal.end, 1);
    int done = 0;
    if (at != NULL && wake_at != NULL && end != NULL && put_record(journal, segment, FINISHED, record)) {
        PyObject *appended = PyObject_CallMethodOneArg(SLOT(segment, in_segment.offsets), str_append, at);
        done = appended == NULL ? -1 : 1;
        Py_XDECREF(appended);
        if (done > 0) {
            set_slot(journal, in_journal.end, end);
            if (PyDict_Contains(calls->places, span) == 1 && PyDict_DelItem(calls->places, span) < 0)
                PyErr_Clear();
            done = wake(journal, wake_at, natural(end));
        }
    }
    Py_XDECREF(at);
    Py_XDECREF(end);
    return done;
}

/* Tells the journal of an open span. What fails here costs the span's being known after a crash, and nothing else. */
void start_on_disk(Calls *calls, PyObject *record, PyObject *span) {
    PyObject *segment = with_room(calls->journal, record), *places = NULL, *told = NULL;
    if (segment != NULL)
        places = Py_BuildValue("[(OO)]", segment, SLOT(segment, in_segment.at)); /* the collector may run here */
    if (places != NULL && segment == with_room(calls->journal, record) &&
        SLOT(segment, in_segment.at) == PyTuple_GET_ITEM(PyList_GET_ITEM(places, 0), 1) && put_record(calls->journal, segment, STARTED, record))
        told = PyDict_SetItem(calls->places, span, places) == 0 ? Py_NewRef(Py_None) : NULL;
    else
        told = PyObject_CallMethodObjArgs(calls->journal, str_started, span, record, NULL);
    if (told == NULL)
        PyErr_WriteUnraisable(calls->journal);
    Py_XDECREF(told);
    Py_XDECREF(places);
}

/* Takes the classes of the journal on disk, which few processes import. Raises as `prepare_calls` does. */
PyObject *prepare_disk(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"journal", "segment", "crc32", "head_bytes", "finished", "started", "max_body", NULL};
    PyObject *journal, *segment, *checksum;
    int head_bytes, finished_kind, started_kind, max_body;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!Oiiii:prepare_disk", names, &PyType_Type, &journal, &PyType_Type, &segment, &checksum, &head_bytes,
                                     &finished_kind, &started_kind, &max_body))
        return NULL;
    if (head_bytes != HEAD_BYTES || finished_kind != FINISHED || started_kind != STARTED || max_body != MAX_BODY)
        return PyErr_Format(PyExc_TypeError, "records are not those that the native module was built for");
#define JOURNAL(name) find_slot((PyTypeObject *)journal, #name, &in_journal.name) < 0 ||
#define SEGMENT(name) find_slot((PyTypeObject *)segment, #name, &in_segment.name) < 0 ||
    if (JOURNAL_SLOTS(JOURNAL) SEGMENT_SLOTS(SEGMENT) 0)
        return NULL;
    Py_XSETREF(crc32, Py_NewRef(checksum));
    journal_type = (PyTypeObject *)Py_NewRef(journal); /* kept for as long as the process lives */
    segment_type = (PyTypeObject *)Py_NewRef(segment);
    Py_RETURN_NONE;
}
