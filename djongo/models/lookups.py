"""Lookups that MongoDB's own indexes answer: text_search (TextIndex), near, geo_within and geo_intersects (TwoDSphereIndex).

    Blog.objects.filter(name__text_search="Paul Lennon")
    Entry.objects.filter(place__near=Near(type="point", coordinates=[13.4, 52.5], maxDistance=1000))
    Entry.objects.filter(place__geo_within={"type": "Polygon", "coordinates": [...]})

They stand in filter(), joined with AND: under exclude() or with | MongoDB can't decide them, and NotSupportedError says so."""

import json

from django.db import NotSupportedError
from django.db.models import Field, Lookup

__all__ = ["Near"]

# Half the Earth's circumference in metres: no place is further away.
FURTHEST = 20_037_500


class Near:
    """Places at least `minDistance` and at most `maxDistance` metres from a point, given as longitude and latitude; the nearest come first."""

    def __init__(self, type="point", coordinates=None, minDistance=None, maxDistance=None):
        if str(type).lower() != "point":
            raise ValueError("Near: the type is 'point'.")
        if not isinstance(coordinates, (list, tuple)) or len(coordinates) != 2:
            raise ValueError("Near: coordinates are [longitude, latitude].")
        self.type, self.coordinates = "Point", [float(number) for number in coordinates]
        self.minDistance, self.maxDistance = minDistance, maxDistance

    def __repr__(self):
        return f"Near(coordinates={self.coordinates}, minDistance={self.minDistance}, maxDistance={self.maxDistance})"


class MongoLookup(Lookup):
    prepare_rhs = False

    def arguments(self):
        raise NotImplementedError

    def as_sql(self, compiler, connection):
        if connection.vendor != "djongo":
            raise NotSupportedError(f"The lookup {self.lookup_name} is MongoDB's.")
        column, parameters = self.process_lhs(compiler, connection)
        values = self.arguments()
        return f"{self.lookup_name}({column}, {', '.join(['%s'] * len(values))})", [*parameters, *values]


@Field.register_lookup
class TextSearch(MongoLookup):
    lookup_name = "text_search"

    def arguments(self):
        if not isinstance(self.rhs, str):
            raise ValueError("text_search looks for words: a str.")
        return [self.rhs]


@Field.register_lookup
class NearLookup(MongoLookup):
    lookup_name = "near"

    def arguments(self):
        near = self.rhs
        if not isinstance(near, Near):
            raise ValueError("near takes a djongo.models.Near.")
        values = [*near.coordinates]
        if near.maxDistance is not None or near.minDistance is not None:
            values.append(FURTHEST if near.maxDistance is None else near.maxDistance)
        return values if near.minDistance is None else [*values, near.minDistance]


class ShapeLookup(MongoLookup):
    def arguments(self):
        shape = getattr(self.rhs, "__geo_interface__", self.rhs)
        if not isinstance(shape, dict) or "type" not in shape:
            raise ValueError(f"{self.lookup_name} takes a GeoJSON dict.")
        return [json.dumps(shape)]


@Field.register_lookup
class GeoWithin(ShapeLookup):
    lookup_name = "geo_within"


@Field.register_lookup
class GeoIntersects(ShapeLookup):
    lookup_name = "geo_intersects"
