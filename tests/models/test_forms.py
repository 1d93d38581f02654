"""Forms of embedded documents and arrays: what they post, what they make of it, and what they refuse. The admin in a browser is tests/browser/."""

import datetime
from decimal import Decimal

from bson import ObjectId
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import modelform_factory
from django.http import QueryDict
from django.test import TestCase
from shop.models import Blog, Entry, Holder, Owner, Tour

from djongo.forms import ArrayFormField, EmbeddedFormField, JSONFormField


def rows(prefix, *rows, initial=0):
    """The posted data of an array with these rows."""
    data = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": str(initial)}
    for i, row in enumerate(rows):
        data.update({f"{prefix}-{i}-{name}": value for name, value in (row.items() if isinstance(row, dict) else [("value", row)])})
    return data


def post(*parts, **more):
    data = QueryDict(mutable=True)
    for part in (*parts, more):
        data.update(part)
    return data


EMPTY = {**rows("authors"), **rows("tags"), **rows("scores")}


class EntryForms(TestCase):
    def form(self, *parts, instance=None, fields="__all__", **more):
        return modelform_factory(Entry, fields=fields)(post(EMPTY, *parts, headline="H", **more), instance=instance)

    def test_input_names(self):
        """DJONGO-API 8.2 and 8.3: `<field>-<inner>`, `<field>-0-<inner>`, `<field>-TOTAL_FORMS`."""
        entry = Entry(headline="H", blog={"name": "B"}, authors=[{"name": "A"}], tags=["t"])
        html = str(modelform_factory(Entry, fields="__all__")(instance=entry))
        for name in ("blog-name", "blog-tagline-title", "authors-TOTAL_FORMS", "authors-0-name", "authors-0-DELETE", "authors-0-ORDER", "authors-0-books-TOTAL_FORMS", "tags-0-value"):
            self.assertIn(f'name="{name}"', html)
        self.assertIn('name="authors-__prefix__-books-__prefix__-value"', html)

    def test_nested_documents_and_arrays(self):
        form = self.form(
            {"blog-name": "Beatles", "blog-tagline-title": "T"},
            rows("authors", {"name": "John", "born": "1940-10-09", "rating": "4.50", **rows("books", "One", "Two")}),
            rows("authors-0-books", "One", "Two"),
            rows("tags", "a", "b"),
            rows("scores", "1.5"),
        )
        self.assertTrue(form.is_valid(), form.errors)
        entry = Entry.objects.get(pk=form.save().pk)
        self.assertEqual(entry.blog.tagline.title, "T")
        self.assertEqual(entry.authors[0].born, datetime.date(1940, 10, 9))
        self.assertEqual(entry.authors[0].books, ["One", "Two"])
        self.assertEqual(entry.tags, ["a", "b"])
        self.assertEqual(entry.scores, [Decimal("1.5")])

    def test_left_empty(self):
        form = self.form({"blog-name": "", "blog-tagline-title": ""})
        self.assertTrue(form.is_valid(), form.errors)
        entry = form.save()
        self.assertIsNone(entry.blog)
        self.assertIsNone(entry.authors)
        self.assertEqual(form.changed_data, ["headline"])

    def test_errors_at_the_inner_input_and_with_the_path(self):
        form = self.form({"blog-tagline-subtitle": "S"}, rows("authors", {"name": "ok", "email": "none"}), rows("authors-0-books"))
        self.assertFalse(form.is_valid())
        self.assertEqual(set(form.errors), {"blog", "authors"})
        inner = form["blog"].nested
        self.assertEqual(inner.errors["name"], ["This field is required."])
        self.assertEqual(inner["tagline"].nested.errors["title"], ["This field is required."])
        self.assertEqual(form["authors"].nested.forms[0].errors["email"], ["Enter a valid email address."])
        html = str(form)
        self.assertIn("Enter a valid email address.", html)
        self.assertIn('value="none"', html)

    def test_a_containers_own_clean(self):
        form = self.form({"blog-name": "forbidden"})
        self.assertFalse(form.is_valid())
        self.assertEqual(form["blog"].nested.errors["name"], ["Not this one."])

    def test_order_and_deletion(self):
        entry = Entry.objects.create(headline="H", authors=[{"name": name} for name in "abc"], tags=["x", "y"])
        data = [{"name": "a", "ORDER": "3"}, {"name": "b", "ORDER": "1", "DELETE": "on"}, {"name": "c", "ORDER": "2"}, {"name": "", "ORDER": ""}]
        form = self.form(rows("authors", *data, initial=3), *(rows(f"authors-{i}-books") for i in range(4)), rows("tags", "x", "y", initial=2), instance=entry)
        self.assertTrue(form.is_valid(), (form.errors, form["authors"].nested.errors))
        form.save()
        entry.refresh_from_db()
        self.assertEqual([author.name for author in entry.authors], ["c", "a"])
        self.assertIn("authors", form.changed_data)
        self.assertNotIn("tags", form.changed_data)

    def test_unchanged(self):
        entry = Entry.objects.create(headline="H", blog={"name": "B", "tagline": {"title": "T"}}, authors=[{"name": "A", "books": ["b"]}], tags=["x"], data={"a": [1]})
        entry.refresh_from_db()
        form = self.form(
            {"blog-name": "B", "blog-tagline-title": "T", "data": '{"a": [1]}'},
            rows("authors", {"name": "A", "ORDER": "1"}, initial=1),
            rows("authors-0-books", {"value": "b", "ORDER": "1"}, initial=1),
            rows("tags", {"value": "x", "ORDER": "1"}, initial=1),
            instance=entry,
        )
        self.assertEqual(form.changed_data, [])

    def test_unknown_keys_are_kept(self):
        entry = Entry.objects.create(headline="H", blog={"name": "B", "colour": "red"}, authors=[{"name": "A", "age": 80}])
        entry.refresh_from_db()
        form = self.form({"blog-name": "C"}, rows("authors", {"name": "A"}, initial=1), rows("authors-0-books"), instance=entry)
        self.assertTrue(form.is_valid(), form.errors)
        form.save()
        entry.refresh_from_db()
        self.assertEqual(entry.blog, {"name": "C", "colour": "red", "tagline": None})
        self.assertEqual(entry.authors[0]["age"], 80)

    def test_an_invalid_form_leaves_the_instance_as_it_was(self):
        entry = Entry.objects.create(headline="H", blog={"name": "B"})
        entry.refresh_from_db()
        form = self.form({"blog-name": "x" * 101}, instance=entry)
        self.assertFalse(form.is_valid())
        self.assertEqual(entry.blog.name, "B")

    def test_json(self):
        form = self.form({"data": '{"id": {"$oid": "%s"}}' % ("a" * 24)})
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(form.save().data, {"id": ObjectId("a" * 24)})
        for wrong in ('{"a"', "[1,", "{'a': 1}", '{"$oid": 5}', "[" * 100_000):
            with self.subTest(wrong[:10]):
                form = self.form({"data": wrong})
                self.assertFalse(form.is_valid())
                self.assertIn("Enter a valid JSON", str(form.errors["data"]))

    # -- hostile posts

    def test_missing_management_form(self):
        form = modelform_factory(Entry, fields=["headline", "authors"])(post(headline="H"))
        self.assertFalse(form.is_valid())
        self.assertIn("ManagementForm data is missing", str(form["authors"]))

    def test_tampered_management_form(self):
        for total, initial in (("-1", "0"), ("x", "0"), ("1", "-5"), ("1", "999999999"), ("9" * 400, "0")):
            with self.subTest(total=total, initial=initial):
                data = {"authors-TOTAL_FORMS": total, "authors-INITIAL_FORMS": initial, "authors-0-name": "A", **rows("authors-0-books")}
                form = modelform_factory(Entry, fields=["headline", "authors"])(post(data, headline="H"))
                form.is_valid()  # an answer, whatever it is: no exception, no endless loop
                str(form)

    def test_a_hundred_thousand_rows(self):
        data = {"tags-TOTAL_FORMS": "100000", "tags-INITIAL_FORMS": "0", **{f"tags-{i}-value": "x" for i in range(100_000)}}
        form = modelform_factory(Entry, fields=["headline", "tags"])(post(data, headline="H"))
        self.assertFalse(form.is_valid())
        self.assertLessEqual(len(form["tags"].nested.forms), 2000)
        self.assertIn("at most 1000 rows", str(form["tags"]))

    def test_too_many_elements(self):
        form = self.form(rows("scores", *"123456"))
        self.assertFalse(form.is_valid())
        self.assertIn("at most 5 rows", str(form["scores"]))

    def test_disabled(self):
        entry = Entry.objects.create(headline="H", blog={"name": "B"}, tags=["x"])
        cls = modelform_factory(Entry, fields=["headline", "blog", "tags"])
        cls.base_fields["blog"].disabled = cls.base_fields["tags"].disabled = True
        form = cls(post(rows("tags", "forged"), {"blog-name": "forged"}, headline="H"), instance=entry)
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual((form.save().blog.name, entry.tags), ("B", ["x"]))


class CustomForms(TestCase):
    def test_model_form_class(self):
        class BlogForm(forms.ModelForm):
            class Meta:
                model = Blog
                fields = ["name"]

            def clean_name(self):
                return self.cleaned_data["name"].title()

        field = Entry._meta.get_field("blog").clone()
        field.set_attributes_from_name("blog")
        field.model, field.model_form_class = Entry, BlogForm
        form = type("F", (forms.Form,), {"blog": field.formfield()})({"blog-name": "beatles"})
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(form.cleaned_data["blog"].name, "Beatles")

    def test_model_form_kwargs(self):
        field = Entry._meta.get_field("blog").clone()
        field.set_attributes_from_name("blog")
        field.model, field.model_form_kwargs = Entry, {"initial": {"name": "preset"}}
        form = type("F", (forms.Form,), {"blog": field.formfield()})()
        self.assertIn('value="preset"', str(form))


class OtherForms(TestCase):
    def test_form_fields(self):
        fields = modelform_factory(Tour, fields="__all__").base_fields
        self.assertIsInstance(fields["home"], EmbeddedFormField)
        self.assertIsInstance(fields["visits"], ArrayFormField)
        self.assertIsInstance(fields["grid"], JSONFormField)

    def test_arrays_of_arrays_as_json(self):
        form = modelform_factory(Tour, fields=["name", "grid"])(post(name="T", grid="[[1, 2], [3]]"))
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(Tour.objects.get(pk=form.save().pk).grid, [[1, 2], [3]])
        form = modelform_factory(Tour, fields=["name", "grid"])(post(name="T", grid='[[1, "x"]]'))
        self.assertFalse(form.is_valid())
        self.assertIn("0.1", str(form.errors["grid"]))

    def test_no_hidden_copies(self):
        """A callable default makes Django's fields show their first value twice."""
        self.assertNotIn("initial-", str(modelform_factory(Tour, fields="__all__")(instance=Tour(visits=[{"place": {"country": "FR"}}]))))

    def test_choices_defaults_and_fixed_size(self):
        data = rows("visits", {"place-country": "FR", "nights": "2", "kind": "c", **{f"place-{k}": v for k, v in rows("point", "1.5", "2").items()}})
        form = modelform_factory(Tour, fields=["name", "visits"])(post(data, name="T"))
        self.assertTrue(form.is_valid(), (form.errors, form["visits"].nested.errors))
        visit = Tour.objects.get(pk=form.save().pk).visits[0]
        self.assertEqual((visit.place.country, visit.place.point, visit.nights, visit.kind), ("FR", [1.5, 2.0], 2, "c"))
        self.assertIsNotNone(visit.at)

    def test_kinds(self):
        """A document of one of several containers: the choice says which."""
        cls = modelform_factory(Owner, fields="__all__")
        data = {"name": "O", "pet-_label": "shop.Cat", "pet-shop_cat-name": "Tom", "pet-shop_cat-lives": "7"}
        form = cls(post(data, rows("pets", {"_label": "shop.Dog", "shop_dog-name": "Rex", "shop_dog-barks": "on"}, {"_label": "shop.Cat", "shop_cat-name": "Kit", "shop_cat-lives": "9"})))
        self.assertTrue(form.is_valid(), (form.errors, form["pet"].nested.errors))
        owner = Owner.objects.get(pk=form.save().pk)
        self.assertEqual((type(owner.pet).__name__, owner.pet.lives), ("Cat", 7))
        self.assertEqual([type(pet).__name__ for pet in owner.pets], ["Dog", "Cat"])
        html = str(cls(instance=owner))
        self.assertIn('value="Tom"', html)
        self.assertIn('data-kind="shop.Dog"', html)
        form = cls(post({"name": "O", "pet-_label": "shop.Cat", "pet-shop_cat-lives": "7"}, rows("pets")))
        self.assertFalse(form.is_valid())
        form = cls(post({"name": "O", "pet-_label": "auth.User"}, rows("pets")))
        self.assertFalse(form.is_valid())
        form = cls(post({"name": "O", "pet-_label": ""}, rows("pets")))
        self.assertTrue(form.is_valid(), form.errors)
        self.assertIsNone(form.save().pet)

    def test_containers_that_contain_themselves(self):
        """Forms to a certain depth, JSON below."""
        cls = modelform_factory(Holder, fields=["thread"])
        html = str(cls(instance=Holder(thread={"text": "a", "replies": [{"text": "b", "replies": []}]})))
        self.assertIn('name="thread-replies-0-text"', html)
        form = cls(post({"thread-text": "a"}, rows("thread-replies", {"text": "b"}), rows("thread-replies-0-replies")))
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(Holder.objects.get(pk=form.save().pk).thread.replies[0].text, "b")

    def test_every_kind_of_field(self):
        values = {
            "boolean": "true", "binary": "AAAA", "char": "c", "date": "2026-01-31", "datetime": "2026-01-31 12:00", "decimal": "1.500", "duration": "1 00:00:00", "email": "a@example.com",
            "floating": "1.5", "ip": "::1", "integer": "5", "big": "9007199254740993", "json": '{"a": 1}', "slug": "s", "text": "t", "time": "12:30", "url": "https://example.com",
            "uuid": "12345678-1234-5678-1234-567812345678", "oid": "a" * 24,
        }  # fmt: skip
        cls = modelform_factory(Holder, fields=["every"])
        form = cls(post({f"every-{name}": value for name, value in values.items()}), {"every-file": SimpleUploadedFile("f.txt", b"x")})
        self.assertTrue(form.is_multipart())
        self.assertTrue(form.is_valid(), (form.errors, form["every"].nested.errors))
        form.instance.every.file = "f.txt"
        every = Holder.objects.get(pk=form.save().pk).every
        self.assertEqual((every.big, every.json, every.oid, every.duration), (9007199254740993, {"a": 1}, ObjectId("a" * 24), datetime.timedelta(days=1)))
        again = cls(post({f"every-{name}": value for name, value in values.items()}, {"every-file": ""}), instance=Holder(every=every))
        # A BinaryField shows its bytes otherwise than it reads them: Django's own, made editable here.
        self.assertEqual(again["every"].nested.changed_data, ["binary"])


class OldNames(TestCase):
    def test_dynamic_formsets(self):
        """DJONGO-API 8.5 and 8.7: names of djongo before 1.3.7."""
        from django.apps import AppConfig

        from djongo.forms import ArrayFormSet, NestedFormSet
        from djongo.models import forms as old_forms

        self.assertIs(NestedFormSet, ArrayFormSet)
        self.assertIs(old_forms.EmbeddedFormField, EmbeddedFormField)
        config = AppConfig.create("djongo.dynamic_formsets.apps.DynamicFormsetsConfig")
        self.assertEqual(config.name, "djongo.dynamic_formsets")
