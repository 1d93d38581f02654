"""The SQL that representative ORM queries become: one line a construct, so that a change of dialect shows as a diff."""

import datetime

import pytest
from app.models import Author, Book
from django.db import DataError, connection, models
from django.db.models import Count, Exists, F, OuterRef, Q, Sum, Value, Window
from django.db.models import functions as f
from django.test import override_settings

books = Book.objects


def compiled(queryset):
    sql, params = queryset.query.get_compiler("default").as_sql()
    return sql, params


def where(queryset):
    return compiled(queryset.only("id"))[0].split(" WHERE ", 1)[1]


def column(expression, source=books):
    sql, _ = compiled(source.annotate(x=expression).values("x"))
    return sql[len("SELECT ") : sql.index(' AS "x" FROM')]


@pytest.mark.parametrize(
    "condition, sql",
    [
        (Q(title="x"), '"app_book"."title" = %s'),
        (Q(title__iexact="x"), '"app_book"."title" ILIKE %s'),
        (Q(title__contains="x"), '"app_book"."title" LIKE %s'),
        (Q(title__istartswith="x"), '"app_book"."title" ILIKE %s'),
        (Q(title__regex="x"), '"app_book"."title" ~ %s'),
        (Q(title__iregex="x"), '"app_book"."title" ~* %s'),
        (Q(pages__startswith="1"), '("app_book"."pages")::text LIKE %s'),
        (Q(ip__startswith="1"), '"app_book"."ip" LIKE %s'),
        (Q(title__contains=F("ip")), 'STRPOS("app_book"."title", ("app_book"."ip")) > 0'),
        (Q(title__istartswith=F("pages")), 'STARTS_WITH(UPPER("app_book"."title"), UPPER((("app_book"."pages"))::text))'),
        (Q(title__endswith=F("ip")), 'STARTS_WITH(REVERSE("app_book"."title"), REVERSE(("app_book"."ip")))'),
        (Q(title__iexact=F("ip")), 'UPPER("app_book"."title") = UPPER(("app_book"."ip"))'),
        (Q(title__in=["a", "b"]), '"app_book"."title" IN (%s, %s)'),
        (Q(price__isnull=True), '"app_book"."price" IS NULL'),
        (~Q(pages=1), 'NOT ("app_book"."pages" = %s)'),
        (Q(data=None), '"app_book"."data" = %s'),
        (Q(data__a=1), '("app_book"."data" -> %s) = %s'),
        (Q(data__a__0=1), '("app_book"."data" #> %s) = %s'),
        (Q(data__a__gt=1), '("app_book"."data" -> %s) > %s'),
        (Q(data__a__icontains="x"), '("app_book"."data" ->> %s) ILIKE %s'),
        (Q(data__a__b__endswith="x"), '("app_book"."data" #>> %s) LIKE %s'),
        (Q(data__a__isnull=True), '("app_book"."data" -> %s) IS NULL'),
        (Q(data__a__in=[1, "x"]), '("app_book"."data" -> %s) IN (%s, %s)'),
        (Q(data__contains={"a": 1}), '"app_book"."data" @> %s'),
        (Q(data__contained_by={"a": 1}), '"app_book"."data" <@ %s'),
        (Q(data__has_key="a"), '"app_book"."data" ? %s'),
        (Q(data__has_keys=["a", "b"]), '"app_book"."data" ?& %s'),
        (Q(data__has_any_keys=["a", "b"]), '"app_book"."data" ?| %s'),
        (Q(published__year=2020), '"app_book"."published" BETWEEN %s AND %s'),
        (Q(published__date=datetime.date(2020, 1, 1)), """("app_book"."published" AT TIME ZONE 'America/Chicago')::date = %s"""),
        (Q(opens__hour__gte=3), 'EXTRACT(HOUR FROM "app_book"."opens") >= %s'),
    ],
)
def test_conditions(condition, sql):
    assert where(books.filter(condition)) == sql


@pytest.mark.parametrize(
    "expression, sql",
    [
        (F("pages") ** 2, '(POWER("app_book"."pages", %s))'),
        (F("pages") % 2, '("app_book"."pages" %% %s)'),
        (F("pages").bitxor(2), '("app_book"."pages" # %s)'),
        (F("pages").bitleftshift(2), '("app_book"."pages" << %s)'),
        (f.TruncMonth("published"), """DATE_TRUNC('month', "app_book"."published" AT TIME ZONE 'America/Chicago')"""),
        (f.TruncHour("opens"), """DATE_TRUNC('hour', "app_book"."opens")::time"""),
        (f.TruncTime("published", tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))), """("app_book"."published" AT TIME ZONE 'UTC-05:30')::time"""),
        (f.ExtractWeekDay("published", tzinfo=datetime.timezone.utc), """EXTRACT(DOW FROM "app_book"."published" AT TIME ZONE 'UTC') + 1"""),
        (f.ExtractIsoYear("published", tzinfo=datetime.timezone.utc), """EXTRACT(ISOYEAR FROM "app_book"."published" AT TIME ZONE 'UTC')"""),
        (f.ExtractSecond("opens"), """EXTRACT(SECOND FROM DATE_TRUNC('second', "app_book"."opens"))"""),
        (f.Now(), "STATEMENT_TIMESTAMP()"),
        (f.Cast("pages", models.CharField()), 'CAST("app_book"."pages" AS varchar)'),
        (f.Cast("pages", models.DecimalField(max_digits=5, decimal_places=1)), 'CAST("app_book"."pages" AS numeric(5, 1))'),
        (f.StrIndex("title", Value("x")), 'STRPOS("app_book"."title", %s)'),
        (f.Concat("title", "ip", output_field=models.TextField()), '(COALESCE("app_book"."title", %s) || COALESCE(CAST("app_book"."ip" AS text), %s))'),
        (f.JSONObject(a="pages"), 'JSONB_BUILD_OBJECT(CAST(%s AS text), "app_book"."pages")'),
        (f.JSONArray("pages", "title"), 'JSONB_BUILD_ARRAY("app_book"."pages", "app_book"."title")'),
        (f.Greatest("pages", 1), 'GREATEST("app_book"."pages", %s)'),
        (f.Random(), "RANDOM()"),
        (f.SHA256("title"), 'SHA256("app_book"."title")'),
        (f.Log(2, "pages"), 'LOG(%s, "app_book"."pages")'),
        (f.Mod("pages", 2), 'MOD("app_book"."pages", %s)'),
        (F("takes") + datetime.timedelta(1), '("app_book"."takes" + %s)'),
        (F("published") - f.Now(), '("app_book"."published" - STATEMENT_TIMESTAMP())'),
        (
            Window(f.Lag("pages", 2), partition_by="author", order_by=F("price").asc(nulls_last=True)),
            'LAG("app_book"."pages", %s) OVER (PARTITION BY "app_book"."author_id" ORDER BY "app_book"."price" ASC NULLS LAST)',
        ),
        (Count("tags", distinct=True, filter=Q(pages=1)), 'COUNT(DISTINCT "app_book_tags"."tag_id") FILTER (WHERE "app_book"."pages" = %s)'),
    ],
)
def test_expressions(expression, sql):
    assert column(expression) == sql


def test_difference_of_dates_is_an_interval():
    expression = models.ExpressionWrapper(F("born") - F("born"), models.DurationField())
    assert column(expression, Author.objects) == '(CAST("app_author"."born" AS timestamp) - CAST("app_author"."born" AS timestamp))'


def test_zone_names_cannot_break_out_of_the_literal():
    class Odd(datetime.tzinfo):
        def tzname(self, when):
            return "x'%"

        def utcoffset(self, when):
            return None

    sql, _ = connection.ops.datetime_trunc_sql("day", "c", (), "x'%")
    assert sql == "DATE_TRUNC('day', c AT TIME ZONE 'x''%%')"
    with pytest.raises(ValueError, match="Invalid lookup type"):
        connection.ops.date_extract_sql("year' FROM x)) --", "c", ())
    with pytest.raises(DataError, match="Invalid unit of time"):
        connection.ops.date_trunc_sql("year', x) --", "c", ())


def test_now_is_local_wall_clock_without_time_zones():
    with override_settings(USE_TZ=False, TIME_ZONE="Africa/Nairobi"):
        assert column(f.Now()) == "(STATEMENT_TIMESTAMP() AT TIME ZONE 'Africa/Nairobi')"


def test_the_select_and_the_group_by_of_a_truncated_date():
    queryset = books.annotate(d=f.TruncDay("published", tzinfo=datetime.timezone.utc)).values("d").annotate(s=Sum("price")).order_by("d")
    sql, params = compiled(queryset)
    assert sql == (
        """SELECT DATE_TRUNC('day', "app_book"."published" AT TIME ZONE 'UTC') AS "d", SUM("app_book"."price") AS "s" FROM "app_book" GROUP BY 1 ORDER BY 1 ASC"""
    )
    assert params == ()


def test_exists_distinct_on_union_subquery_and_lock():
    exists = Exists(Author.objects.filter(id=OuterRef("author_id"), active=True))
    assert where(books.filter(exists)) == 'EXISTS(SELECT %s AS "a" FROM "app_author" U0 WHERE (U0."active" AND U0."id" = ("app_book"."author_id")) LIMIT 1)'
    assert compiled(books.distinct("author").values("id"))[0] == 'SELECT DISTINCT ON ("app_book"."author_id") "app_book"."id" AS "id" FROM "app_book"'
    union = books.values("title").union(Author.objects.values("name"), all=True)[:3]
    assert compiled(union)[0] == '(SELECT "app_book"."title" AS "title" FROM "app_book") UNION ALL (SELECT "app_author"."name" AS "name" FROM "app_author") LIMIT 3'
    assert where(books.filter(author__in=Author.objects.filter(active=False))) == (
        '"app_book"."author_id" IN (SELECT U0."id" FROM "app_author" U0 WHERE NOT U0."active")'
    )


def test_writes(connection):
    done = connection.connection.statements
    connection.connection.answers = [[(7,), (8,)], [(9,)], [(1,)]]
    made = Author.objects.bulk_create([Author(name="a"), Author(name="b")])
    assert [author.pk for author in made] == [7, 8]
    assert done.pop(-2 if done[-1][0] == "COMMIT" else -1)[0] == (
        'INSERT INTO "app_author" ("name", "born", "rating", "active") VALUES (%s, %s, %s, %s), (%s, %s, %s, %s) RETURNING "app_author"."id"'
    )
    assert Author.objects.create(name="c").pk == 9
    done.clear()
    Author.objects.bulk_create([Author(pk=1, name="a")], update_conflicts=True, unique_fields=["name"], update_fields=["rating"])
    assert any('ON CONFLICT("name") DO UPDATE SET "rating" = EXCLUDED."rating"' in sql for sql, _ in done)
    done.clear()
    Author.objects.bulk_create([Author(pk=1, name="a")], ignore_conflicts=True)
    assert any(sql.endswith("ON CONFLICT DO NOTHING") for sql, _ in done)
    done.clear()
    books.filter(author__name="x").update(pages=F("pages") + 1)
    assert done[0][0].startswith('UPDATE "app_book" SET "pages" = ("app_book"."pages" + %s) WHERE "app_book"."id" IN (SELECT U0."id"')


def test_json_parameters_are_values(connection):
    connection.connection.answers = [[(1,)]]
    Book(id=1, title="t", author_id=1, data={"$ne": (1, 2)}).save(force_insert=True)
    [json] = [p for sql, params in connection.connection.statements if params for p in params if isinstance(p, connection.Database.Json)]
    assert json.value == {"$ne": [1, 2]}
    with pytest.raises(TypeError, match="not JSON serializable"):
        connection.ops.adapt_json_value({1, 2}, None)


def test_bulk_inserts_are_cut_into_batches():
    assert connection.ops.bulk_batch_size(["x"] * 10, [None] * 100_000) == 3000
    assert connection.ops.bulk_batch_size([], [1]) > 0


def test_explain():
    assert connection.ops.explain_query_prefix() == "EXPLAIN"
    assert connection.ops.explain_query_prefix("json", analyze=True) == "EXPLAIN (ANALYZE true, FORMAT JSON)"
    with pytest.raises(ValueError, match="Unknown options: costs"):
        connection.ops.explain_query_prefix(costs=True)


def test_queries_as_text():
    when = datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    shown = connection.ops.last_executed_query(None, "SELECT %s, %s, %s, %s %% 2", [when, "it's", b"\x00", None])
    assert shown == r"SELECT '2020-01-01T23:00:00+00:00'::timestamptz, 'it''s', '\x00'::bytea, NULL % 2"
    assert connection.ops.last_executed_query(None, "SELECT %(a)s", {"a": datetime.timedelta(days=1, microseconds=2)}) == (
        "SELECT INTERVAL '86400000002 microseconds'"
    )
    assert "QUERY = " in connection.ops.last_executed_query(None, "SELECT %s", [object()])


def test_flush_and_sequences():
    from django.core.management.color import no_style

    assert connection.ops.sql_flush(no_style(), ["a", "b"], reset_sequences=True, allow_cascade=True) == [
        'TRUNCATE "a", "b" RESTART IDENTITY CASCADE;'
    ]
    assert connection.ops.sequence_reset_sql(no_style(), [Author]) == [
        """SELECT setval(pg_get_serial_sequence('"app_author"','id'), coalesce(max("id"), 1), max("id") IS NOT null) FROM "app_author";"""
    ]


def test_datetimes_in_and_out():
    ops, utc = connection.ops, datetime.timezone.utc
    naive = datetime.datetime(2020, 1, 1, 12)
    [converter] = [c for c in ops.get_db_converters(Book._meta.get_field("published").get_col("app_book"))]
    assert converter(naive, None, connection) == naive.replace(tzinfo=utc) and converter(None, None, connection) is None
    with override_settings(USE_TZ=False, TIME_ZONE="Africa/Nairobi"):
        assert ops.adapt_datetimefield_value(naive.replace(tzinfo=utc)) == datetime.datetime(2020, 1, 1, 15)
        assert ops.get_db_converters(Book._meta.get_field("published").get_col("app_book")) == []
    with pytest.raises(ValueError, match="timezone-aware times"):
        ops.adapt_timefield_value(datetime.time(1, tzinfo=utc))
