"""The five tables of the nycflights13 data set: every flight that left New York City's three airports in 2013."""
from django.db import models


class Airline(models.Model):
    carrier = models.CharField("code", max_length=2, primary_key=True)
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Airport(models.Model):
    faa = models.CharField("FAA code", max_length=3, primary_key=True)
    name = models.CharField(max_length=80)
    latitude = models.FloatField()
    longitude = models.FloatField()
    altitude = models.IntegerField(help_text="feet")
    utc_offset = models.DecimalField(max_digits=4, decimal_places=2, help_text="hours, in winter")
    daylight_saving = models.CharField(
        max_length=1, choices=[("A", "as in the US"), ("U", "unknown"), ("N", "none")]
    )
    time_zone = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["faa"]
        indexes = [models.Index(fields=["name"])]

    def __str__(self):
        return f"{self.faa} {self.name}"


class Plane(models.Model):
    tail_number = models.CharField(max_length=6, primary_key=True)
    year = models.PositiveSmallIntegerField("year built", null=True, blank=True)
    kind = models.CharField(max_length=40)
    manufacturer = models.CharField(max_length=40, db_index=True)
    model = models.CharField(max_length=30)
    engines = models.PositiveSmallIntegerField()
    seats = models.PositiveSmallIntegerField()
    speed = models.PositiveSmallIntegerField("cruising speed", null=True, blank=True, help_text="miles per hour")
    engine = models.CharField("engine type", max_length=20)

    class Meta:
        ordering = ["tail_number"]

    def __str__(self):
        return f"{self.tail_number} ({self.manufacturer} {self.model})"


class Weather(models.Model):
    origin = models.ForeignKey(Airport, models.CASCADE, related_name="weather")
    hour = models.DateTimeField()
    temperature = models.FloatField(null=True, blank=True, help_text="°F")
    dew_point = models.FloatField(null=True, blank=True, help_text="°F")
    humidity = models.FloatField(null=True, blank=True, help_text="%")
    wind_direction = models.PositiveSmallIntegerField(null=True, blank=True, help_text="degrees")
    wind_speed = models.FloatField(null=True, blank=True, help_text="miles per hour")
    wind_gust = models.FloatField(null=True, blank=True, help_text="miles per hour")
    precipitation = models.FloatField(help_text="inches")
    pressure = models.FloatField(null=True, blank=True, help_text="millibars")
    visibility = models.FloatField(help_text="miles")

    class Meta:
        ordering = ["hour", "origin"]
        verbose_name_plural = "weather"
        constraints = [models.UniqueConstraint(fields=["origin", "hour"], name="one_report_an_hour")]

    def __str__(self):
        return f"{self.origin_id} {self.hour:%Y-%m-%d %H:%M}"


class Flight(models.Model):
    date = models.DateField(help_text="at the origin")
    scheduled = models.DateTimeField("scheduled departure")
    airline = models.ForeignKey(Airline, models.PROTECT, related_name="flights")
    number = models.PositiveSmallIntegerField("flight number")
    # Two columns each: the data name planes and airports that are in no other table.
    tail_number = models.CharField(max_length=6, blank=True)
    plane = models.ForeignKey(Plane, models.SET_NULL, null=True, blank=True, related_name="flights")
    origin = models.ForeignKey(Airport, models.PROTECT, related_name="departures")
    destination_code = models.CharField(max_length=3)
    destination = models.ForeignKey(Airport, models.SET_NULL, null=True, blank=True, related_name="arrivals")
    departure_delay = models.SmallIntegerField(null=True, blank=True, help_text="minutes; empty: cancelled")
    arrival_delay = models.SmallIntegerField(null=True, blank=True, help_text="minutes")
    air_time = models.PositiveSmallIntegerField(null=True, blank=True, help_text="minutes")
    distance = models.PositiveSmallIntegerField(help_text="miles")

    class Meta:
        ordering = ["scheduled", "id"]
        indexes = [
            models.Index(fields=["date", "airline"]),
            models.Index(fields=["scheduled"]),
            models.Index(fields=["tail_number"]),
            models.Index(fields=["number"]),
        ]

    def __str__(self):
        return f"{self.airline_id}{self.number} {self.origin_id}–{self.destination_code} {self.date}"
