#!/usr/bin/env python3
"""Benchmarks: djongo beside django-mongodb-backend, Django on PostgreSQL and a bare libmongoc, in one run (method: bench/README.md).

    run.py [--uri URI] [--rounds N] [--keep] [WORD ...]      only the measurements whose name contains a WORD

The backends are databases of one Django process, the first two on one MongoDB server, loaded with the same rows; PostgreSQL takes part where it is installed. In each round every measurement is made once for every
contender, in alternating order; what is printed is the median of the rounds. Every answer is compared between the contenders first.
"""
import argparse
import contextlib
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
BOOKS, AUTHORS, PUBLISHERS, TAGS, BOOK_TAGS = 20_000, 2_000, 50, 500, 40_000


def install():
    try:
        import django_mongodb_backend  # noqa: F401
    except ImportError:
        print("installing bench/requirements.txt", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"], check=True)


def build(name, *flags):
    """Compiles bench/NAME.c; the path of the program."""
    BUILD.mkdir(parents=True, exist_ok=True)
    packages = subprocess.run(["pkg-config", "--cflags", "--libs", "libmongoc-1.0"], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", BUILD / name, HERE / f"{name}.c", *flags, *packages], check=True)
    return BUILD / name


def configure(uri, postgres):
    import django
    from django.conf import settings

    databases = {
        "default": {"ENGINE": "djongo", "NAME": "djongo_bench", "HOST": uri, "CONN_MAX_AGE": None},
        "official": {"ENGINE": "django_mongodb_backend", "NAME": "djongo_bench_official", "HOST": uri},
    }
    if postgres:
        databases["postgres"] = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "test", "HOST": postgres, "CONN_MAX_AGE": None}
    settings.configure(
        DATABASES=databases,
        INSTALLED_APPS=[],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


def load():
    """The same rows in both databases, unless they are there already."""
    from django.db import connections

    import models

    rng = random.Random(20)
    tables = [
        (models.Author, [models.Author(id=i, name=f"author {i}", country=rng.choice(["de", "fr", "it", "jp", "us"])) for i in range(1, AUTHORS + 1)]),
        (models.Publisher, [models.Publisher(id=i, name=f"publisher {i}") for i in range(1, PUBLISHERS + 1)]),
        (models.Tag, [models.Tag(id=i, name=f"tag {i}") for i in range(1, TAGS + 1)]),
        (models.Book, [
            models.Book(id=i, title=f"The book number {i}", pages=rng.randrange(50, 1000), author_id=rng.randint(1, AUTHORS), publisher_id=rng.randint(1, PUBLISHERS))
            for i in range(1, BOOKS + 1)
        ]),
        (models.BookTag, [models.BookTag(id=i, book_id=rng.randint(1, BOOKS), tag_id=rng.randint(1, TAGS)) for i in range(1, BOOK_TAGS + 1)]),
    ]
    for alias in connections.settings:
        connection = connections[alias]
        existing = set(connection.introspection.table_names())
        if all(model._meta.db_table in existing and model.objects.using(alias).count() == len(rows) for model, rows in tables):
            continue
        begun = time.perf_counter()
        with connection.schema_editor() as editor:
            for model, _ in reversed(tables):
                if model._meta.db_table in existing:
                    editor.delete_model(model)
            for model, _ in tables:
                editor.create_model(model)
        for model, rows in tables:
            model.objects.using(alias).bulk_create(rows, batch_size=2000)
            if (found := model.objects.using(alias).count()) != len(rows):
                raise SystemExit(f"{connection.vendor}: {len(rows)} rows of {model.__name__} were loaded, {found} are there")
        print(f"loaded {sum(len(rows) for _, rows in tables)} rows into {connection.vendor} in {time.perf_counter() - begun:.1f} s", flush=True)


class Measurement:
    """`run` maps a contender's name to a function of a seeded random generator, which does `count` things and returns an answer to compare (or None).
    A function that returns a Timed has measured itself."""

    def __init__(self, name, count, contenders):
        self.name, self.count, self.contenders = name, count, contenders
        self.times = {contender: [] for contender in contenders}

    def check(self):
        answers = {}
        for contender, run in self.contenders.items():
            try:
                answers[contender] = run(random.Random(0))
            except Exception as e:
                raise SystemExit(f"{self.name}: {contender}: {type(e).__name__}: {e}") from e
        compared = {name: answer for name, answer in answers.items() if not isinstance(answer, Timed)}
        first = next(iter(compared.values()))
        for name, answer in compared.items():
            if answer != first:
                raise SystemExit(f"{self.name}: {name} answers {str(answer)[:300]}, {next(iter(compared))} {str(first)[:300]}")

    def round(self, number):
        names = list(self.contenders)
        for name in names if number % 2 else reversed(names):
            begun = time.perf_counter()
            answer = self.contenders[name](random.Random(number))
            spent = time.perf_counter() - begun
            self.times[name].append(answer.seconds if isinstance(answer, Timed) else spent / self.count)

    def medians(self):
        return {name: statistics.median(times) for name, times in self.times.items()}


class Timed:
    def __init__(self, seconds):
        self.seconds = seconds


def measurements(uri):
    from django.db import connections

    import models
    from djongo import _sqm

    Book, backends = models.Book, {"djongo": "default", "official": "official"}
    if "postgres" in connections.settings:
        backends["PostgreSQL"] = "postgres"

    def both(function):
        """function(alias, rng) for each backend"""
        return {name: (lambda rng, alias=alias: function(alias, rng)) for name, alias in backends.items()}

    gets = 300

    def get(alias, rng):
        return [Book.objects.using(alias).get(pk=rng.randint(1, BOOKS)).title for _ in range(gets)]

    raw = _sqm.connect(uri, "djongo_bench", autocommit=True)
    cursor = raw.cursor()
    sql = 'SELECT "_id", "title", "pages", "author_id", "publisher_id" FROM "bench_book" WHERE "_id" = %s'

    def one(rng):
        cursor.execute(sql, (rng.randint(1, BOOKS),))
        return cursor.fetchone()[1]

    def execute(rng):
        return [one(rng) for _ in range(gets)]

    import pymongo

    collection = pymongo.MongoClient(uri).djongo_bench.bench_book

    def find_one(rng):
        return [collection.find_one({"_id": rng.randint(1, BOOKS)})["title"] for _ in range(gets)]

    bare = build("bare_find")

    def bare_find(rng):
        result = subprocess.run([bare, uri, "djongo_bench", "bench_book", str(BOOKS), str(gets * 2)], check=True, capture_output=True, text=True)
        return Timed(int(result.stdout) / 1e9)

    def joined_filter(alias, rng):
        return sorted(book.id for book in Book.objects.using(alias).filter(author__name=f"author {rng.randint(1, AUTHORS)}"))

    def m2m_count(alias, rng):
        return Book.objects.using(alias).filter(tags__name=f"tag {rng.randint(1, TAGS)}").count()

    def m2m_exclude(alias, rng):
        return Book.objects.using(alias).exclude(tags__name=f"tag {rng.randint(1, TAGS)}").count()

    def select_related(alias, rng):
        books = Book.objects.using(alias).select_related("author", "publisher").filter(pages__lt=155)
        return sorted((book.id, book.author.name, book.publisher.name) for book in books)

    def page(alias, rng):
        books = Book.objects.using(alias).select_related("author").order_by("-pages", "id")[:20]
        return [(book.id, book.author.name) for book in books]

    def group(alias, rng):
        from django.db.models import Count

        return sorted(Book.objects.using(alias).values_list("author__country").annotate(n=Count("id")))

    for alias in backends.values():
        connections[alias].ensure_connection()
    return [
        Measurement("one row by primary key, ORM", gets, both(get)),
        Measurement("one row by primary key, cursor", gets, {"djongo": execute, "PyMongo": find_one, "libmongoc": bare_find}),
        Measurement("filter on a joined table's indexed column", 1, both(joined_filter)),
        Measurement("many-to-many filter + count", 1, both(m2m_count)),
        Measurement("many-to-many exclude + count", 1, both(m2m_exclude)),
        Measurement("select_related over 2 foreign keys, ~2,200 rows", 1, both(select_related)),
        Measurement("a page of 20, ordered, with a foreign key", 1, both(page)),
        Measurement("count per joined column", 1, both(group)),
    ]


def milliseconds(seconds):
    return f"{seconds * 1000:.3f}" if seconds < 0.01 else f"{seconds * 1000:.1f}"


def server(given):
    """(uri, stop): the server named, or an embedded one of the benchmarks' own."""
    if given:
        return given, lambda: None
    from djongo import embedded

    directory = ROOT / ".cache" / "bench-server"
    directory.parent.mkdir(exist_ok=True)
    return embedded.ensure_running(directory=directory), lambda: embedded.stop(directory=directory)


@contextlib.contextmanager
def postgres():
    """The directory of a PostgreSQL server's socket, or None where it isn't installed: the one that the logic tests start, private and without fsync."""
    sys.path.append(str(ROOT / "tests" / "logic"))
    import databases

    with databases.postgres() as connect:
        if not connect:
            print("PostgreSQL or psycopg is not installed: left out", flush=True)
            yield None
            return
        with connect() as connection:
            host = connection.info.host
        yield host


def compile_times():
    """{name: seconds} for compiling a statement, without a server."""
    program = build("compile", f"-I{ROOT}/core/include", str(ROOT / "build" / "core" / "libsqm.a"), *subprocess.run(
        ["pkg-config", "--libs", "icu-uc", "icu-i18n", "libpcre2-8", "libcrypto"], check=True, capture_output=True, text=True).stdout.split(), "-lm", "-lpthread")
    lines = subprocess.run([program, "2000"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: int(nanoseconds) / 1e9 for name, nanoseconds in (line.split("\t") for line in lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", default=os.environ.get("DJONGO_TEST_URI"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the databases there for the next run")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    sys.path[:0] = [str(HERE), str(ROOT)]
    install()
    uri, stop = server(options.uri)
    try:
        with postgres() as host:
            configure(uri, host)
            load()
            chosen = [m for m in measurements(uri) if not options.words or any(word in m.name for word in options.words)]
            for measurement in chosen:
                measurement.check()
            for number, measurement in itertools.product(range(options.rounds), chosen):
                measurement.round(number)
            from django.db import connections

            connections.close_all()
        report(chosen, options)
    finally:
        if not options.keep:
            import pymongo

            with pymongo.MongoClient(uri) as client:
                client.drop_database("djongo_bench")
                client.drop_database("djongo_bench_official")
        stop()


def report(chosen, options):
    results = {m.name: m.medians() for m in chosen}
    print(f"\nmilliseconds, median of {options.rounds} rounds; {BOOKS:,} books, {AUTHORS:,} authors, {BOOK_TAGS:,} book-tag rows")
    for name, medians in results.items():
        mine = medians["djongo"]
        others = "   ".join(f"{other} {milliseconds(seconds)} ({seconds / mine:.2f} x djongo's)" for other, seconds in medians.items() if other != "djongo")
        print(f"{name:50} djongo {milliseconds(mine)}   {others}")
    if not options.words or "compile" in options.words:
        results["compile"] = compile_times()
        print("\nmicroseconds to compile a statement")
        for name, seconds in results["compile"].items():
            print(f"{name:50} {seconds * 1e6:.1f}")
    target = ROOT / ".cache" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1))
    print(f"\nalso in {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
