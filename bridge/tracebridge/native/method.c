/* What stands in front of a Python method: it tries the short way, and calls the method where there is none. See live.h. */

#include "live.h"

#include <structmember.h>

static const struct {
    const Short *ways;
    size_t count;
} all_ways[] = {{start_ways, 1}, {begin_ways, 2}, {end_ways, 4}};

static const Short *find_way(PyObject *name) {
    for (size_t at = 0; at < sizeof all_ways / sizeof *all_ways; at++)
        for (size_t k = 0; k < all_ways[at].count; k++)
            if (PyUnicode_CompareWithASCIIString(name, all_ways[at].ways[k].name) == 0)
                return &all_ways[at].ways[k];
    return NULL;
}

/* Makes the names of the parameters, which are compared with those at a call. */
int intern_names(void) {
    for (size_t at = 0; at < sizeof all_ways / sizeof *all_ways; at++)
        for (size_t k = 0; k < all_ways[at].count; k++)
            for (int n = 0; n < all_ways[at].ways[k].count; n++)
                if ((all_ways[at].ways[k].names[n] = PyUnicode_InternFromString(all_ways[at].ways[k].spelled[n])) == NULL)
                    return -1;
    return 0;
}

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
    const Short *found = find_way(((PyFunctionObject *)python)->func_name);
    if (found == NULL)
        return PyErr_Format(PyExc_ValueError, "there is no short way for %R", ((PyFunctionObject *)python)->func_name);
    Method *self = (Method *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = method_call;
    self->python = Py_NewRef(python);
    self->way = found->way;
    return (PyObject *)self;
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

PyTypeObject method_type = {
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
