/* What Python calls: the spans of a batch, from the journal's bytes, without the interpreter's lock. */

#include "formats.h"
#include "record.h"

static bool text_of(PyObject *bytes, Text *text) {
    if (!PyBytes_CheckExact(bytes)) {
        PyErr_SetString(PyExc_TypeError, "bytes are needed");
        return false;
    }
    *text = (Text){(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    return true;
}

static Text *texts_of(PyObject *tuple) {
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    Text *texts = PyMem_RawCalloc(count ? (size_t)count : 1, sizeof(Text));
    if (texts == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (!text_of(PyTuple_GET_ITEM(tuple, i), &texts[i])) {
            PyMem_RawFree(texts);
            return NULL;
        }
    return texts;
}

/* A source for each, empty where a record has none; no items where none has one, and None where a record cannot be read. */
static PyObject *sources_as_tuple(const Text *sources, size_t count, bool is_readable, bool any) {
    if (!is_readable)
        Py_RETURN_NONE;
    PyObject *tuple = PyTuple_New(any ? (Py_ssize_t)count : 0);
    for (size_t i = 0; tuple != NULL && any && i < count; i++) {
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)sources[i].data, (Py_ssize_t)sources[i].size);
        if (bytes == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, bytes);
    }
    return tuple;
}

PyObject *sources(PyObject *self, PyObject *given) {
    PyObject *keeps = PySequence_Tuple(given), *result = NULL;
    Text *texts = keeps == NULL ? NULL : texts_of(keeps);
    if (texts != NULL) {
        size_t count = (size_t)PyTuple_GET_SIZE(keeps);
        bool is_readable = true, any = false;
        Py_BEGIN_ALLOW_THREADS
        for (size_t i = 0; is_readable && i < count; i++) {
            Record record;
            is_readable = read_record(texts[i].data, texts[i].size, &record);
            texts[i] = (Text){record.source.at, (size_t)(record.source.end - record.source.at)};
            any |= texts[i].size != 0;
        }
        Py_END_ALLOW_THREADS
        result = sources_as_tuple(texts, count, is_readable, any); /* they stand in what `keeps` holds */
        PyMem_RawFree(texts);
    }
    Py_XDECREF(keeps);
    return result;
}

typedef struct {
    const Text *records, *encoded; /* what stands in for a record that is unusual has data */
    size_t count;
    Naming naming;
    Source source;
    Lines lines;
    Format format;
    bool commas, takes_scopes; /* what is around the spans says the scope */
    Buffer out, scratch;
    Pairs pairs;
    bool *unusual;
    size_t unusuals;
    bool no_memory;
} Batch;

static void encode_batch(Batch *batch) {
    Context context = {&batch->out, &batch->scratch, &batch->source, &batch->lines};
    for (size_t i = 0; i < batch->count && !batch->no_memory; i++) {
        if (batch->commas && i)
            buffer_byte(&batch->out, ',');
        if (batch->encoded[i].data != NULL) {
            buffer_put(&batch->out, batch->encoded[i].data, batch->encoded[i].size);
            continue;
        }
        Record record;
        size_t before = batch->out.size;
        Outcome outcome = UNUSUAL;
        if (read_checked_record(batch->records[i].data, batch->records[i].size, &record))
            outcome = record.unusual || (record.has_scope && !batch->takes_scopes) ? UNUSUAL : DONE;
        if (outcome == DONE && batch->format != span_line)
            outcome = show_attributes(&record, &batch->naming, &batch->pairs);
        if (outcome == DONE)
            outcome = batch->format(&record, &batch->pairs, &context);
        if (outcome == UNUSUAL) {
            batch->out.size = before;
            batch->unusual[i] = true;
            batch->unusuals++;
        }
        batch->no_memory = outcome == NO_MEMORY || batch->out.failed || batch->scratch.failed;
    }
}

/* The bytes of all, or the list of the places of those that are unusual. */
static PyObject *answer(const Batch *batch) {
    if (batch->no_memory)
        return PyErr_NoMemory();
    if (batch->unusuals == 0)
        return PyBytes_FromStringAndSize((const char *)batch->out.data, (Py_ssize_t)batch->out.size);
    PyObject *places = PyList_New(0);
    for (size_t i = 0; places != NULL && i < batch->count; i++) {
        if (!batch->unusual[i])
            continue;
        PyObject *place = PyLong_FromSize_t(i);
        if (place == NULL || PyList_Append(places, place) < 0)
            Py_CLEAR(places);
        Py_XDECREF(place);
    }
    return places;
}

/* An item for each record: bytes that stand for it, or None. */
static Text *encoded_of(PyObject *tuple, size_t count) {
    if ((size_t)PyTuple_GET_SIZE(tuple) != count) {
        PyErr_SetString(PyExc_ValueError, "encoded needs an item for each record: bytes or None");
        return NULL;
    }
    Text *texts = PyMem_RawCalloc(count ? count : 1, sizeof(Text));
    if (texts == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(tuple, (Py_ssize_t)i);
        if (item != Py_None && !text_of(item, &texts[i])) {
            PyMem_RawFree(texts);
            return NULL;
        }
    }
    return texts;
}

/* (dialect, name of the trace ID's attribute, the same with `.scheme`) */
static bool naming_of(PyObject *given, Naming *naming) {
    PyObject *trace_id_key, *scheme_key;
    int dialect;
    if (!PyArg_ParseTuple(given, "iOO", &dialect, &trace_id_key, &scheme_key))
        return false;
    if (dialect < OPENINFERENCE || dialect > GENAI) {
        PyErr_SetString(PyExc_ValueError, "there is no such dialect");
        return false;
    }
    naming->dialect = (Dialect)dialect;
    return text_of(trace_id_key, &naming->trace_id_key) && text_of(scheme_key, &naming->scheme_key);
}

/* (local endpoint, rest with the status OK, rest, reserved names, names of peers, whether it is simple) */
static bool source_of(PyObject *given, Source *source) {
    PyObject *local, *rest_if_ok, *rest, *reserved, *peers;
    int is_simple;
    if (!PyArg_ParseTuple(given, "OOOO!O!p", &local, &rest_if_ok, &rest, &PyTuple_Type, &reserved, &PyTuple_Type, &peers, &is_simple))
        return false;
    source->is_simple = is_simple;
    if (!text_of(local, &source->local) || !text_of(rest_if_ok, &source->rest_if_ok) || !text_of(rest, &source->rest))
        return false;
    source->reserved.count = (size_t)PyTuple_GET_SIZE(reserved);
    source->peers.count = (size_t)PyTuple_GET_SIZE(peers);
    source->reserved.items = texts_of(reserved);
    source->peers.items = source->reserved.items == NULL ? NULL : texts_of(peers);
    return source->peers.items != NULL;
}

/* (service, resource of roots, resource of others, most bytes of a name, most bytes of a line) */
static bool lines_of(PyObject *given, Lines *lines) {
    PyObject *service, *root_resource, *resource;
    Py_ssize_t max_name, max_line;
    if (!PyArg_ParseTuple(given, "OOOnn", &service, &root_resource, &resource, &max_name, &max_line))
        return false;
    if (max_name < 0 || max_line < 0) {
        PyErr_SetString(PyExc_ValueError, "a size is negative");
        return false;
    }
    lines->max_name = (size_t)max_name;
    lines->max_line = (size_t)max_line;
    return text_of(service, &lines->service) && text_of(root_resource, &lines->root_resource) && text_of(resource, &lines->resource);
}

/* What a format needs to know besides the records. */
static bool shared_of(PyObject *given, Batch *batch) {
    PyObject *naming, *source;
    if (batch->format == span_line)
        return lines_of(given, &batch->lines);
    if (batch->format != zipkin_json_span)
        return naming_of(given, &batch->naming);
    return PyArg_ParseTuple(given, "O!O!", &PyTuple_Type, &naming, &PyTuple_Type, &source) && naming_of(naming, &batch->naming) &&
           source_of(source, &batch->source);
}

/* (records, encoded, shared): all of them stay as they are while the lock is away, because tuples and bytes cannot be changed. */
static PyObject *encode_spans(PyObject *given, Format format, bool commas) {
    PyObject *records, *encoded, *shared, *result = NULL;
    if (!PyArg_ParseTuple(given, "O!O!O!", &PyTuple_Type, &records, &PyTuple_Type, &encoded, &PyTuple_Type, &shared))
        return NULL;
    size_t count = (size_t)PyTuple_GET_SIZE(records);
    Batch batch = {.count = count, .format = format, .commas = commas};
    batch.takes_scopes = format == otlp_protobuf_span || format == otlp_json_span;
    Text *record_texts = texts_of(records);
    Text *encoded_texts = record_texts == NULL ? NULL : encoded_of(encoded, count);
    batch.records = record_texts;
    batch.encoded = encoded_texts;
    if (encoded_texts != NULL && shared_of(shared, &batch)) {
        batch.unusual = PyMem_RawCalloc(count ? count : 1, sizeof(bool));
        batch.no_memory = batch.unusual == NULL;
        Py_BEGIN_ALLOW_THREADS
        encode_batch(&batch);
        Py_END_ALLOW_THREADS
        result = answer(&batch);
    }
    buffer_free(&batch.out);
    buffer_free(&batch.scratch);
    PyMem_RawFree(batch.pairs.items);
    PyMem_RawFree(batch.unusual);
    PyMem_RawFree(batch.source.reserved.items);
    PyMem_RawFree(batch.source.peers.items);
    PyMem_RawFree(record_texts);
    PyMem_RawFree(encoded_texts);
    return result;
}

PyObject *otlp_protobuf_spans(PyObject *self, PyObject *given) {
    return encode_spans(given, otlp_protobuf_span, false);
}

PyObject *otlp_json_spans(PyObject *self, PyObject *given) {
    return encode_spans(given, otlp_json_span, true);
}

PyObject *zipkin_json_spans(PyObject *self, PyObject *given) {
    return encode_spans(given, zipkin_json_span, true);
}

PyObject *span_lines(PyObject *self, PyObject *given) {
    return encode_spans(given, span_line, false);
}
