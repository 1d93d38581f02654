/* document.c - Document and Array: BSON as it was stored, read piece by piece.
 *
 * In:  the bytes of a cell, copied once.   Out: objects like a read-only dict and a read-only list, equal to those, which decode what they are asked for:
 *
 *     row[1]["name"]   row[1].get("tags")   len(row[2])   row[2][0]   for key in row[1]: ...   row[1].decode()
 *
 * What is nested is a Document or an Array again that shares the bytes of the outermost one and keeps it alive. Scalars are those of from_value.c. Nothing is
 * decoded twice by intent: who asks repeatedly keeps what he got. Bytes that are not well-formed BSON are DataError when they are reached.
 *
 * Such an object refers to nothing but its type and its owner, so it can't be part of a cycle and the collector doesn't know it. Both pickle and copy as a
 * plain dict or list. As a parameter, alone or inside a dict or list, it is the bytes themselves (to_value.c): what was only passed on is stored as it was. */
#include "module.h"

#include <string.h>

typedef struct Document {
    PyObject_VAR_HEAD
    ModuleState *state;     /* borrowed: our type keeps the module alive */
    PyObject *owner;        /* whose bytes these are, or NULL: they follow */
    const uint8_t *bytes;
    uint32_t size;
    Py_ssize_t length;      /* elements, once counted; -1 before */
    uint8_t own[];
} Document;

PyObject *document_new(ModuleState *state, PyObject *owner, const uint8_t *bytes, uint32_t size, bool is_array) {
    PyTypeObject *type = is_array ? state->array_type : state->document_type;
    Document *self = (Document *)type->tp_alloc(type, owner ? 0 : (Py_ssize_t)size);
    if (!self) return NULL;
    self->state = state;
    self->size = size;
    self->length = -1;
    if (owner) {
        PyObject *outermost = ((Document *)owner)->owner;
        self->owner = Py_NewRef(outermost ? outermost : owner);
        self->bytes = bytes;
    } else {
        self->bytes = memcpy(self->own, bytes, size);
    }
    return (PyObject *)self;
}

const uint8_t *document_bytes(ModuleState *state, PyObject *object, uint32_t *size, bool *is_array) {
    *is_array = Py_IS_TYPE(object, state->array_type);
    if (!*is_array && !Py_IS_TYPE(object, state->document_type)) return NULL;
    *size = ((Document *)object)->size;
    return ((Document *)object)->bytes;
}

static void document_dealloc(Document *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->owner);
    type->tp_free(self);
    Py_DECREF(type);
}

typedef struct Walk {
    const uint8_t *at, *end;
} Walk;

static Walk walk(const Document *self) { return (Walk){.at = self->bytes + 4, .end = self->bytes + self->size - 1}; }

static Py_ssize_t document_length(Document *self) {
    if (self->length >= 0) return self->length;
    Walk w = walk(self);
    StoredItem item;
    Py_ssize_t n = 0;
    while (stored_next(self->state, &item, &w.at, w.end)) n++;
    if (PyErr_Occurred()) return -1;
    return self->length = n;
}

static PyObject *decode(ModuleState *state, const uint8_t *bytes, uint32_t size, bool is_array) {
    StoredItem whole = {.type = is_array ? 4 : 3, .value = bytes, .size = size};
    return stored_value_new(state, NULL, &whole);
}

static bool is_array(const Document *self) { return Py_IS_TYPE((PyObject *)self, self->state->array_type); }

static PyObject *document_decode(Document *self, PyObject *unused) {
    (void)unused;
    return decode(self->state, self->bytes, self->size, is_array(self));
}

/* A dict is what has twice the same key keeps the last one; so does this. */
static bool find(const Document *self, PyObject *key, StoredItem *found, bool *there) {
    *there = false;
    if (!PyUnicode_Check(key)) return true;
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(key, &length);
    if (!text) {
        PyErr_Clear();      /* a lone surrogate, which no stored key has */
        return true;
    }
    Walk w = walk(self);
    StoredItem item;
    while (stored_next(self->state, &item, &w.at, w.end)) {
        if (item.key_length != (size_t)length || memcmp(item.key, text, item.key_length) != 0) continue;
        *found = item;
        *there = true;
    }
    return !PyErr_Occurred();
}

static PyObject *value_of(Document *self, const StoredItem *item) { return stored_value_new(self->state, (PyObject *)self, item); }

static PyObject *document_subscript(Document *self, PyObject *key) {
    StoredItem item;
    bool there;
    if (!find(self, key, &item, &there)) return NULL;
    if (!there) return PyErr_SetObject(PyExc_KeyError, key), NULL;
    return value_of(self, &item);
}

static PyObject *document_get(Document *self, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs < 1 || nargs > 2) return PyErr_SetString(PyExc_TypeError, "usage: get(key, default=None)"), NULL;
    StoredItem item;
    bool there;
    if (!find(self, args[0], &item, &there)) return NULL;
    return there ? value_of(self, &item) : Py_NewRef(nargs == 2 ? args[1] : Py_None);
}

static int document_contains(Document *self, PyObject *key) {
    StoredItem item;
    bool there;
    return find(self, key, &item, &there) ? there : -1;
}

typedef enum Part { KEYS, VALUES, ITEMS } Part;

static PyObject *part_of(Document *self, const StoredItem *item, Part part) {
    PyObject *key = part == VALUES ? NULL : stored_key_new(self->state, item);
    if (part == KEYS || (part == ITEMS && !key)) return key;
    PyObject *value = value_of(self, item);
    if (part == VALUES || !value) {
        Py_XDECREF(key);
        return value;
    }
    PyObject *pair = PyTuple_Pack(2, key, value);
    Py_DECREF(key);
    Py_DECREF(value);
    return pair;
}

static PyObject *list_of(Document *self, Part part) {
    PyObject *list = PyList_New(0);
    Walk w = walk(self);
    StoredItem item;
    bool ok = list != NULL;
    while (ok && stored_next(self->state, &item, &w.at, w.end)) {
        PyObject *one = part_of(self, &item, part);
        ok = one && PyList_Append(list, one) == 0;
        Py_XDECREF(one);
    }
    if (!ok || PyErr_Occurred()) Py_CLEAR(list);
    return list;
}

static PyObject *document_keys(Document *self, PyObject *unused) { return (void)unused, list_of(self, KEYS); }
static PyObject *document_values(Document *self, PyObject *unused) { return (void)unused, list_of(self, VALUES); }
static PyObject *document_items(Document *self, PyObject *unused) { return (void)unused, list_of(self, ITEMS); }

static PyObject *iterate(Document *self, Part part) {
    PyObject *list = list_of(self, part), *iterator = list ? PyObject_GetIter(list) : NULL;
    Py_XDECREF(list);
    return iterator;
}

static PyObject *document_iter(Document *self) { return iterate(self, KEYS); }
static PyObject *array_iter(Document *self) { return iterate(self, VALUES); }

static PyObject *array_item(Document *self, Py_ssize_t index) {
    Walk w = walk(self);
    StoredItem item;
    for (Py_ssize_t i = 0; index >= 0 && stored_next(self->state, &item, &w.at, w.end); i++)
        if (i == index) return value_of(self, &item);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "array index out of range");
    return NULL;
}

static PyObject *array_subscript(Document *self, PyObject *index) {
    if (PySlice_Check(index)) {
        PyObject *list = list_of(self, VALUES), *part = list ? PyObject_GetItem(list, index) : NULL;
        Py_XDECREF(list);
        return part;
    }
    Py_ssize_t i = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return NULL;
    if (i < 0) {
        Py_ssize_t length = document_length(self);
        if (length < 0) return NULL;
        i += length;
    }
    return array_item(self, i);
}

static PyObject *document_compare(Document *self, PyObject *other, int operation) {
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    uint32_t size;
    bool other_is_array, same_kind;
    const uint8_t *bytes = document_bytes(self->state, other, &size, &other_is_array);
    if (bytes) same_kind = other_is_array == is_array(self);
    else if (PyDict_Check(other)) same_kind = !is_array(self);
    else if (PyList_Check(other)) same_kind = is_array(self);
    else Py_RETURN_NOTIMPLEMENTED;
    if (!same_kind) return PyBool_FromLong(operation == Py_NE);
    if (bytes && size == self->size && memcmp(bytes, self->bytes, size) == 0) return PyBool_FromLong(operation == Py_EQ);
    PyObject *mine = document_decode(self, NULL), *theirs = !mine ? NULL : bytes ? decode(self->state, bytes, size, other_is_array) : Py_NewRef(other);
    PyObject *result = theirs ? PyObject_RichCompare(mine, theirs, operation) : NULL;
    Py_XDECREF(mine);
    Py_XDECREF(theirs);
    return result;
}

static PyObject *document_repr(Document *self) {
    PyObject *decoded = document_decode(self, NULL), *text = decoded ? PyObject_Repr(decoded) : NULL;
    Py_XDECREF(decoded);
    return text;
}

static PyObject *document_reduce(Document *self, PyObject *unused) {
    (void)unused;
    PyObject *decoded = document_decode(self, NULL);
    if (!decoded) return NULL;
    return Py_BuildValue("O(N)", is_array(self) ? (PyObject *)&PyList_Type : (PyObject *)&PyDict_Type, decoded);
}

static PyMethodDef document_methods[] = {
    {"decode", (PyCFunction)document_decode, METH_NOARGS, "The whole document as a dict, everything in it decoded."},
    {"get", (PyCFunction)(void (*)(void))document_get, METH_FASTCALL, "get(key, default=None)"},
    {"keys", (PyCFunction)document_keys, METH_NOARGS, "The keys as a list."},
    {"values", (PyCFunction)document_values, METH_NOARGS, "The values as a list."},
    {"items", (PyCFunction)document_items, METH_NOARGS, "The pairs of key and value as a list."},
    {"__reduce__", (PyCFunction)document_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef array_methods[] = {
    {"decode", (PyCFunction)document_decode, METH_NOARGS, "The whole array as a list, everything in it decoded."},
    {"__reduce__", (PyCFunction)document_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot document_slots[] = {
    {Py_tp_doc, "A stored document: a read-only mapping that decodes what it is asked for."},
    {Py_tp_dealloc, document_dealloc},
    {Py_tp_repr, document_repr},
    {Py_tp_richcompare, document_compare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_iter, document_iter},
    {Py_tp_methods, document_methods},
    {Py_mp_length, document_length},
    {Py_mp_subscript, document_subscript},
    {Py_sq_contains, document_contains},
    {0, NULL},
};

static PyType_Slot array_slots[] = {
    {Py_tp_doc, "A stored array: a read-only sequence that decodes what it is asked for."},
    {Py_tp_dealloc, document_dealloc},
    {Py_tp_repr, document_repr},
    {Py_tp_richcompare, document_compare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_iter, array_iter},
    {Py_tp_methods, array_methods},
    {Py_mp_length, document_length},
    {Py_mp_subscript, array_subscript},
    {Py_sq_length, document_length},
    {Py_sq_item, array_item},
    {0, NULL},
};

#define FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION)
PyType_Spec document_spec = {"djongo._sqm.Document", offsetof(Document, own), 1, FLAGS, document_slots};
PyType_Spec array_spec = {"djongo._sqm.Array", offsetof(Document, own), 1, FLAGS, array_slots};
