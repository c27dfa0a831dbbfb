/* What every file of the module includes: Python, and the functions of the table in module.c. */

#ifndef TRACEBRIDGE_NATIVE_H
#define TRACEBRIDGE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED
#error "the native module is not for free-threaded builds"
#endif

PyObject *hex_digits(PyObject *bytes); /* ids.c: of exact bytes */
PyObject *span_ids(PyObject *module, PyObject *block);
int add_calls(PyObject *module); /* live.c: adds its classes */
PyObject *prepare_disk(PyObject *module, PyObject *args, PyObject *kwargs); /* disk.c */
PyObject *prepare_calls(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
