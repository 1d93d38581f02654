"""docs/fields.md: its models are the app "guide", its examples run, its table names tests that are there."""

import doctest
import pathlib
import re

from django.test import TransactionTestCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


class Guide(TransactionTestCase):
    maxDiff = None

    def test_models(self):
        self.assertEqual(BLOCKS[0], (pathlib.Path(__file__).parent / "guide" / "models.py").read_text())

    def test_examples(self):
        import datetime

        from django.core.exceptions import ValidationError
        from django.db.models import Count, F, Max, Q
        from guide import models

        names = {**vars(models), "datetime": datetime, "ValidationError": ValidationError, "Count": Count, "F": F, "Max": Max, "Q": Q}
        examples = [block for block in BLOCKS[1:] if block.startswith(">>>")]
        self.assertGreater(len(examples), 8)
        test = doctest.DocTestParser().get_doctest("\n".join(examples), names, "fields.md", "docs/fields.md", 0)
        found = []
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=found.append)
        self.assertEqual("".join(found), "")

    def test_table(self):
        tests = (pathlib.Path(__file__).parent / "test_official.py").read_text()
        named = set(re.findall(r"`(test_\w+)`", PAGE.partition("## The official backend's fields")[2]))
        self.assertEqual(named, set(re.findall(r"def (test_\w+)", tests)))
