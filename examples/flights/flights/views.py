"""The public page: mean delays by airline and month, from one ORM query."""
import calendar
import time

from django.db.models import Avg, Count
from django.db.models.functions import ExtractMonth
from django.shortcuts import render

from .models import Airline, Flight

MEASURES = {"departure": ("departure_delay", "Departure delay"), "arrival": ("arrival_delay", "Arrival delay")}
ORIGINS = {"": "all three airports", "JFK": "JFK", "LGA": "LaGuardia", "EWR": "Newark"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 340, 44, 16, 16, 32


def delays(request):
    measure = request.GET.get("measure") if request.GET.get("measure") in MEASURES else "departure"
    origin = request.GET.get("origin") if request.GET.get("origin") in ORIGINS else ""
    highlighted = request.GET.get("airline", "")
    column, title = MEASURES[measure]

    started = time.perf_counter()
    flights = Flight.objects.filter(origin=origin) if origin else Flight.objects.all()
    cells = list(
        flights.values("airline", month=ExtractMonth("date"))
        .annotate(flights=Count("id"), known=Count(column), delay=Avg(column))
        .order_by("airline", "month")
    )
    names = dict(Airline.objects.values_list("carrier", "name"))
    milliseconds = (time.perf_counter() - started) * 1000

    airlines = {}
    for cell in cells:
        airlines.setdefault(cell["airline"], {})[cell["month"]] = cell
    table = sorted((summary(code, names.get(code, code), months) for code, months in airlines.items()), key=lambda row: row["name"])
    everything = [mean([cell for cell in cells if cell["month"] == month]) for month in range(1, 13)]
    return render(
        request,
        "flights/delays.html",
        {
            "title": title,
            "measure": measure,
            "measures": [(key, label) for key, (_, label) in MEASURES.items()],
            "origin": origin,
            "origins": ORIGINS.items(),
            "origin_label": ORIGINS[origin],
            "highlighted": highlighted,
            "table": table,
            "months": [calendar.month_abbr[month] for month in range(1, 13)],
            "overall": {"months": [shade(value) for value in everything], "delay": mean(cells)},
            "flights": sum(cell["flights"] for cell in cells),
            "chart": chart(table, everything, highlighted),
            "milliseconds": milliseconds,
        },
    )


def mean(cells):
    """The mean over all flights of these cells: each cell's mean counts by its number of known delays."""
    known = sum(cell["known"] for cell in cells)
    return sum(cell["delay"] * cell["known"] for cell in cells if cell["known"]) / known if known else None


def summary(code, name, months):
    values = [months[month]["delay"] if month in months else None for month in range(1, 13)]
    return {
        "code": code,
        "name": name,
        "flights": sum(cell["flights"] for cell in months.values()),
        "delay": mean(months.values()),
        "values": values,
        "months": [shade(value) for value in values],
    }


def shade(value):
    """A table cell: the value, and how strong its colour is (0 to 100; early flights have a colour of their own)."""
    if value is None:
        return {"value": None}
    return {"value": value, "strength": round(min(abs(value) / 45, 1) * 100), "early": value < 0}


def chart(table, everything, highlighted):
    """Points of an SVG line chart: one line per airline, the overall mean, and the grid."""
    known = [value for row in table for value in row["values"] if value is not None] or [0]
    low, high = min(0, min(known)), max(10, max(known))
    step = next(step for step in (5, 10, 20, 50, 100, 1000) if (high - low) / step <= 7)
    low, high = low // step * step, -(-high // step) * step

    def x(month):
        return LEFT + (month - 1) * (WIDTH - LEFT - RIGHT) / 11

    def y(value):
        return TOP + (high - value) * (HEIGHT - TOP - BOTTOM) / (high - low)

    def line(values):
        """An SVG path with gaps where there were no flights; a month on its own is a dot (h0 with a round cap)."""
        parts, drawing = [], False
        for month, value in enumerate(values, 1):
            if value is not None:
                parts.append(f"{'L' if drawing else 'M'}{x(month):.1f} {y(value):.1f}" + ("" if drawing else "h0"))
            drawing = value is not None
        return " ".join(parts)

    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "label_x": LEFT - 8,
        "month_y": HEIGHT - 10,
        "lines": [{"name": row["name"], "path": line(row["values"]), "chosen": row["code"] == highlighted} for row in table],
        "overall": line(everything),
        "months": [{"x": f"{x(month):.1f}", "name": calendar.month_abbr[month]} for month in range(1, 13)],
        "grid": [{"y": f"{y(value):.1f}", "value": int(value)} for value in range(int(low), int(high) + 1, step)],
    }
