"""JSONFormField: any JSON value, BSON's own types included as Extended JSON ({"$oid": …}, {"$date": …})."""

import json

from bson import json_util
from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

OPTIONS = json_util.RELAXED_JSON_OPTIONS


class JSONFormWidget(forms.Textarea):
    """A text area that forms.js checks while one types: it names line and column of the first mistake. Works as a plain text area without it."""

    def __init__(self, attrs=None):
        super().__init__({"class": "djongo-json vLargeTextField", "rows": "10", "cols": "80", "spellcheck": "false", "autocomplete": "off", **(attrs or {})})

    class Media:
        css = {"all": ["djongo/forms.css"]}
        js = ["djongo/forms.js"]


class JSONFormField(forms.JSONField):
    """kind: None for any value, or `dict` or `list` where only that is stored."""

    widget = JSONFormWidget
    default_error_messages = {
        "invalid_json": _("Enter a valid JSON: line %(line)s, column %(column)s: %(reason)s."),
        "not_dict": _("Enter a JSON object: {…}."),
        "not_list": _("Enter a JSON array: […]."),
    }

    def __init__(self, kind=None, **kwargs):
        self.kind = kind
        kwargs.pop("encoder", None)
        kwargs.pop("decoder", None)
        super().__init__(**kwargs)
        # ModelForm would put its text in the place of the model field's own message.
        self.error_messages.pop("invalid", None)

    def to_python(self, value):
        if self.disabled or value in self.empty_values:
            return value if self.disabled else None
        if not isinstance(value, str):
            return self._checked(value)
        try:
            return self._checked(json_util.loads(value, json_options=OPTIONS))
        except json.JSONDecodeError as error:
            params = {"line": error.lineno, "column": error.colno, "reason": error.msg, "value": value}
            raise ValidationError(self.error_messages["invalid_json"], code="invalid_json", params=params) from None
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            params = {"line": 1, "column": 1, "reason": str(error) or type(error).__name__, "value": value}
            raise ValidationError(self.error_messages["invalid_json"], code="invalid_json", params=params) from None

    def _checked(self, value):
        if self.kind is not None and not isinstance(value, self.kind):
            code = "not_dict" if self.kind is dict else "not_list"
            raise ValidationError(self.error_messages[code], code=code)
        return value

    def bound_data(self, data, initial):
        if self.disabled:
            return initial
        try:
            return None if data is None else json_util.loads(data, json_options=OPTIONS)
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            return InvalidJSONInput(data)

    def prepare_value(self, value):
        if isinstance(value, InvalidJSONInput) or (value is None and not self.required):
            return value
        return json_util.dumps(value, json_options=OPTIONS, indent=2, ensure_ascii=False)

    def has_changed(self, initial, data):
        if self.disabled:
            return False
        try:
            return self.to_python(data) != initial
        except ValidationError:
            return True
