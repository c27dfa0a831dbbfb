/* The module: its table of functions, and the version that it was built for. What each does stands in the file that it comes from. */

#include "native.h"

#define SPANS(shared)                                                                                                \
    "(records, encoded, " shared ") -> bytes, or the places of the records that are unusual; bytes in `encoded` stand for " \
    "the record in that place"
#define NAMING "(dialect, the trace ID's attribute, the same with .scheme)"

static PyMethodDef functions[] = {
    {"sources", sources, METH_O, "(records) -> for each the bytes of its scope and resource, or () when none has any, or None when one cannot be read"},
    {"otlp_protobuf_spans", otlp_protobuf_spans, METH_VARARGS, SPANS(NAMING)},
    {"otlp_json_spans", otlp_json_spans, METH_VARARGS, SPANS(NAMING)},
    {"zipkin_json_spans", zipkin_json_spans, METH_VARARGS, SPANS("(" NAMING ", what `source_of` gives)")},
    {"span_lines", span_lines, METH_VARARGS, SPANS("(service, resource of roots, resource of others, max_name, max_line)")},
    {"span_ids", span_ids, METH_O, "(block: bytes) -> list of (8 bytes, 16 hex digits), none of them zero"},
    {"prepare_calls", (PyCFunction)(void (*)(void))prepare_calls, METH_VARARGS | METH_KEYWORDS, "takes the classes and constants that the calls need"},
    {"prepare_disk", (PyCFunction)(void (*)(void))prepare_disk, METH_VARARGS | METH_KEYWORDS, "takes the classes of the journal on disk"},
    {NULL, NULL, 0, NULL},
};

static int add_constants(PyObject *module) {
    return PyModule_AddStringConstant(module, "VERSION", TRACEBRIDGE_VERSION) < 0 ? -1 : add_calls(module);
}

/* No Py_mod_gil: the module does not say that it runs without the interpreter's lock, because it does not. */
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, add_constants},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* live.c keeps what it was told once for the process */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tracebridge.native._functions",
    .m_doc = "The functions in C; see README.md beside the sources.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__functions(void) {
    return PyModuleDef_Init(&definition);
}
