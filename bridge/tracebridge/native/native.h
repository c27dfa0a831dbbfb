/* What every file of the module includes: Python, and the functions of the table in module.c. */

#ifndef TRACEBRIDGE_NATIVE_H
#define TRACEBRIDGE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED
#error "the native module is not for free-threaded builds"
#endif

/* batch.c */
PyObject *sources(PyObject *self, PyObject *given);
PyObject *otlp_protobuf_spans(PyObject *self, PyObject *given);
PyObject *otlp_json_spans(PyObject *self, PyObject *given);
PyObject *zipkin_json_spans(PyObject *self, PyObject *given);
PyObject *span_lines(PyObject *self, PyObject *given);

/* ids.c */
PyObject *hex_digits(PyObject *bytes); /* of exact bytes */
PyObject *span_ids(PyObject *module, PyObject *block);

/* live.c, disk.c */
int add_calls(PyObject *module); /* its classes */
PyObject *prepare_calls(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *prepare_disk(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
