"""Forms for embedded documents, arrays, JSON and ObjectIds.

An EmbeddedField's form field holds a whole form of the container (inputs named `<field>-<inner>`), an ArrayField's a formset of it (`<field>-0-<inner>`,
`<field>-TOTAL_FORMS`, `<field>-0-ORDER`, `<field>-0-DELETE`); both nest to any depth. They are Django's own forms and formsets, so validation, prefixes,
limits against hostile posts and the management form are Django's.
"""

from .array import ArrayFormBoundField, ArrayFormField, ArrayFormSet, ArrayFormWidget
from .embedded import MAX_LEVELS, EmbeddedFormBoundField, EmbeddedFormField, EmbeddedFormWidget
from .json import JSONFormField, JSONFormWidget
from .objectid import ObjectIdFormField

NestedFormSet = ArrayFormSet  # djongo 1.3's name

__all__ = [
    "ArrayFormBoundField", "ArrayFormField", "ArrayFormSet", "ArrayFormWidget", "EmbeddedFormBoundField", "EmbeddedFormField", "EmbeddedFormWidget",
    "MAX_LEVELS", "JSONFormField", "JSONFormWidget", "NestedFormSet", "ObjectIdFormField",
]  # fmt: skip
