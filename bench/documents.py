#!/usr/bin/env python3
"""Iterating documents as model instances, beside PyMongo that returns dicts and beside django-mongodb-backend: one server, one run.

    documents.py [--uri URI] [--count N] [--rounds N] [--official] [--keep]

100,000 documents, each with documents nested three levels deep and arrays of 20 documents and of 20 numbers. In each round every contender iterates all of them once, in
alternating order; printed is the median. "loads" makes the instances and looks at one plain field, as a changelist does; "reads" also looks at a field three levels
down; "reads all" at every element of the array of documents too. PyMongo's dicts are complete in each case. djongo's instances are dropped as they come, as are the dicts.
"""
import argparse
import statistics
import sys
import time

from run import ROOT, server

sys.path[:0] = [str(ROOT)]


def configure(uri, official):
    import django
    from django.conf import settings

    databases = {"default": {"ENGINE": "djongo", "NAME": "djongo_bench_documents", "HOST": uri, "CONN_MAX_AGE": None}}
    if official:
        databases["official"] = {"ENGINE": "django_mongodb_backend", "NAME": "djongo_bench_documents", "HOST": uri}
    settings.configure(DATABASES=databases, INSTALLED_APPS=[], DEFAULT_AUTO_FIELD="djongo.models.ObjectIdAutoField", USE_TZ=True)
    django.setup()


def make_models(official):
    from djongo import models

    class Point(models.EmbeddedModel):
        lat, lon = models.FloatField(), models.FloatField()

        class Meta:
            app_label = "bench"

    class City(models.EmbeddedModel):
        name = models.CharField(max_length=50)
        point = models.EmbeddedField(Point)

        class Meta:
            app_label = "bench"

    class Address(models.EmbeddedModel):
        street = models.CharField(max_length=50)
        city = models.EmbeddedField(City)

        class Meta:
            app_label = "bench"

    class Order(models.EmbeddedModel):
        article = models.CharField(max_length=20)
        amount = models.IntegerField()

        class Meta:
            app_label = "bench"

    class Customer(models.Model):
        name = models.CharField(max_length=50)
        address = models.EmbeddedField(Address)
        orders = models.ArrayField(Order)
        scores = models.ArrayField(models.IntegerField())

        class Meta:
            app_label = "bench"
            db_table = "customer"

    if not official:
        return Customer, None

    from django.db import models as plain
    from django_mongodb_backend import fields
    from django_mongodb_backend.models import EmbeddedModel

    class OfficialPoint(EmbeddedModel):
        lat, lon = plain.FloatField(), plain.FloatField()

        class Meta:
            app_label = "bench"

    class OfficialCity(EmbeddedModel):
        name = plain.CharField(max_length=50)
        point = fields.EmbeddedModelField(OfficialPoint)

        class Meta:
            app_label = "bench"

    class OfficialAddress(EmbeddedModel):
        street = plain.CharField(max_length=50)
        city = fields.EmbeddedModelField(OfficialCity)

        class Meta:
            app_label = "bench"

    class OfficialOrder(EmbeddedModel):
        article = plain.CharField(max_length=20)
        amount = plain.IntegerField()

        class Meta:
            app_label = "bench"

    class OfficialCustomer(plain.Model):
        id = fields.ObjectIdAutoField(primary_key=True)
        name = plain.CharField(max_length=50)
        address = fields.EmbeddedModelField(OfficialAddress)
        orders = fields.EmbeddedModelArrayField(OfficialOrder)
        scores = fields.ArrayField(plain.IntegerField())

        class Meta:
            app_label = "bench"
            db_table = "customer"

    return Customer, OfficialCustomer


def load(model, collection, count):
    from django.db import connection

    if "customer" in connection.introspection.table_names() and collection.estimated_document_count() == count:
        return
    with connection.schema_editor() as editor:
        if "customer" in connection.introspection.table_names():
            editor.delete_model(model)
        editor.create_model(model)
    for start in range(0, count, 2000):
        collection.insert_many(
            {
                "name": f"customer {i}",
                "address": {"street": f"{i} Main Street", "city": {"name": f"city {i % 500}", "point": {"lat": i / 1000, "lon": -i / 1000}}},
                "orders": [{"article": f"article {i % 97}", "amount": n} for n in range(20)],
                "scores": list(range(i % 50, i % 50 + 20)),
            }
            for i in range(start, min(start + 2000, count))
        )


def contenders(model, official, collection):
    def instances(look, using, cls):
        def run():
            total = 0
            for customer in cls.objects.using(using).iterator(chunk_size=2000):
                total += look(customer)
            return total

        return run

    def dicts(look):
        def run():
            total = 0
            for document in collection.find():
                total += look(document)
            return total

        return run

    looks = {
        "loads": (lambda c: len(c.name), lambda d: len(d["name"])),
        "reads": (lambda c: c.address.city.point.lat, lambda d: d["address"]["city"]["point"]["lat"]),
        "reads all": (
            lambda c: c.address.city.point.lat + sum(order.amount for order in c.orders) + sum(c.scores),
            lambda d: d["address"]["city"]["point"]["lat"] + sum(order["amount"] for order in d["orders"]) + sum(d["scores"]),
        ),
    }
    made = {}
    for name, (of_instance, of_dict) in looks.items():
        made[name] = {"djongo": instances(of_instance, "default", model), "PyMongo": dicts(of_dict)}
        if official:
            made[name]["django-mongodb-backend"] = instances(of_instance, "official", official)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--official", action="store_true", help="with django-mongodb-backend beside them")
    parser.add_argument("--keep", action="store_true", help="leave the database there for the next run")
    options = parser.parse_args()
    import pymongo

    uri, stop = server(options.uri)
    with pymongo.MongoClient(uri) as client:
        try:
            configure(uri, options.official)
            model, official = make_models(options.official)
            collection = client.djongo_bench_documents.customer
            load(model, collection, options.count)
            times = {}
            every = contenders(model, official, collection)
            for number in range(options.rounds):
                for name, group in every.items():
                    order = list(group) if number % 2 else list(reversed(group))
                    answers = {}
                    for contender in order:
                        begun = time.perf_counter()
                        answers[contender] = group[contender]()
                        times.setdefault((name, contender), []).append(time.perf_counter() - begun)
                    if len({round(answer, 3) for answer in answers.values()}) != 1:
                        raise SystemExit(f"{name}: different answers: {answers}")
            print(f"seconds to iterate {options.count:,} documents, median of {options.rounds} rounds")
            for name, group in every.items():
                medians = {contender: statistics.median(times[name, contender]) for contender in group}
                others = "   ".join(f"{contender} {seconds:.2f}" for contender, seconds in medians.items() if contender != "djongo")
                print(f"{name:10} djongo {medians['djongo']:.2f}   {others}   djongo takes {medians['djongo'] / medians['PyMongo']:.2f} x PyMongo's time")
        finally:
            if not options.keep:
                client.drop_database("djongo_bench_documents")
            stop()


if __name__ == "__main__":
    main()
