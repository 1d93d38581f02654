from django.contrib import admin

from .models import Airline, Airport, Flight, Plane, Weather

admin.site.site_header = "Flights from New York City, 2013"
admin.site.site_title = "Flights"
admin.site.index_title = "Tables"


@admin.register(Airline)
class AirlineAdmin(admin.ModelAdmin):
    list_display = ["carrier", "name"]
    search_fields = ["carrier", "name"]


@admin.register(Airport)
class AirportAdmin(admin.ModelAdmin):
    list_display = ["faa", "name", "latitude", "longitude", "altitude", "time_zone"]
    list_filter = ["time_zone", "daylight_saving"]
    search_fields = ["faa", "name"]


@admin.register(Plane)
class PlaneAdmin(admin.ModelAdmin):
    list_display = ["tail_number", "manufacturer", "model", "year", "seats", "engine"]
    list_filter = ["engine", "engines", "kind"]
    search_fields = ["tail_number", "manufacturer", "model"]


@admin.register(Weather)
class WeatherAdmin(admin.ModelAdmin):
    list_display = ["hour", "origin", "temperature", "wind_speed", "precipitation", "visibility"]
    list_filter = ["origin"]
    list_select_related = ["origin"]
    date_hierarchy = "hour"
    autocomplete_fields = ["origin"]


class CancelledFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request, model_admin):
        return [("on_time", "left on time"), ("late", "left more than an hour late"), ("cancelled", "cancelled")]

    def queryset(self, request, queryset):
        if self.value() == "on_time":
            return queryset.filter(departure_delay__lte=0)
        if self.value() == "late":
            return queryset.filter(departure_delay__gt=60)
        if self.value() == "cancelled":
            return queryset.filter(departure_delay=None)
        return queryset


@admin.register(Flight)
class FlightAdmin(admin.ModelAdmin):
    list_display = ["scheduled", "airline", "number", "tail_number", "origin", "destination_code", "departure_delay", "arrival_delay"]
    list_filter = [CancelledFilter, "origin", "airline"]
    list_select_related = ["airline", "origin"]
    list_per_page = 50
    search_fields = ["=number", "^tail_number", "^destination_code", "airline__name"]
    search_help_text = "Flight number, or the start of a tail number or destination code, or a part of an airline's name"
    date_hierarchy = "date"
    autocomplete_fields = ["airline", "origin", "destination"]
    raw_id_fields = ["plane"]
    save_on_top = True
