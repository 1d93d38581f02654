"""The settings that django-simple-history's own runtests.py makes, as a module."""
from runtests import get_default_settings

globals().update(get_default_settings())
