"""Random queries of Django's ORM, as Python source: an expression over A, T, B, R (Author, Tag, Book, Review of orm_app, `.objects` on one database).

    B.filter(Q(author__score__gt=3) | ~Q(tags__word='a')).annotate(x0=Coalesce(F('pages'), Value(0))).order_by(F('x0').asc(nulls_first=True), 'pk')[:5]

The source is marked for shrink.py. query() also says whether the order of the answer matters; write() gives what changes rows.
"""
import random

from shrink import mark

# {model: {kind: [paths]}}; paths through to-many relations repeat rows, as the joins they are.
PATHS = {
    "A": {"int": ["id", "score", "boss__score", "boss_id"], "text": ["name", "boss__name"], "float": ["rating", "boss__rating"], "bool": ["active", "boss__active"], "date": ["born", "boss__born"]},
    "T": {"int": ["id", "weight"], "text": ["word"]},
    "B": {"int": ["id", "pages", "author__score", "editor__score", "author_id", "author__boss__score"], "text": ["title", "author__name", "editor__boss__name"], "num": ["price"], "dt": ["published"],
          "date": ["day", "author__born"], "bool": ["author__active", "editor__active"], "float": ["author__rating"], "json": ["data"]},
    "R": {"int": ["id", "stars", "book__pages", "by__score", "book_id", "book__author__score"], "text": ["text", "by__name", "book__title", "book__author__name"], "bool": ["good", "by__active"],
          "num": ["book__price"], "date": ["by__born", "book__day"], "dt": ["book__published"]},
}
MANY = {
    "A": {"int": ["books__pages", "books__id", "minions__score", "books__reviews__stars", "books__tags__weight", "edited__pages"], "text": ["books__title", "minions__name", "books__tags__word", "edited__author__name"],
          "num": ["books__price"], "date": ["books__day"], "bool": ["minions__active", "books__reviews__good"]},
    "T": {"int": ["books__pages", "near__weight", "books__author__score", "near__near__weight"], "text": ["books__title", "near__word"], "num": ["books__price"]},
    "B": {"int": ["tags__weight", "reviews__stars", "reviews__by__score", "tags__near__weight", "author__books__pages"], "text": ["tags__word", "reviews__text"], "bool": ["reviews__good"]},
    "R": {"int": ["book__tags__weight", "book__reviews__stars"], "text": ["book__tags__word"]},
}
FIELDS = {"int": "IntegerField()", "num": "DecimalField(max_digits=12, decimal_places=2)", "float": "FloatField()", "text": "CharField()", "bool": "BooleanField()", "date": "DateField()", "dt": "DateTimeField()"}
SIMPLE = {"q": ["Q(pk__gt=0)", "Q()"], "int": ["Value(1)"], "text": ["Value('a')"], "num": ["Value(Decimal('1.5'))"], "float": ["Value(0.5)"], "date": ["Value(date(2020, 1, 1))"], "bool": ["Value(True)"]}
TEXTS = ["", "a", "ab", "abc", "B", "b", "é", "É", "%", "a_c", "a\n", "日本", "12"]
DATES = ["date(1969, 12, 31)", "date(2000, 2, 29)", "date(2020, 1, 1)", "date(2020, 1, 31)", "date(2024, 12, 30)"]
TIMES = ["at(1969, 12, 31, 23, 59, 59)", "at(2000, 2, 29)", "at(2020, 1, 1, 12, 30)", "at(2020, 3, 29, 1, 30)", "at(2024, 12, 30, 23, 7, 8)"]
DOCUMENTS = ["{}", "{'a': 1}", "{'a': None}", "{'a': '1', 'b': [1, 2]}", "{'a': {'b': 2}}", "[]", "[1, 'a', None]", "'a'", "1", "True", "{'a': [1]}", "{'a': 'ab', 'b': True}"]
RELATED = {"A": ["books", "minions", "reviews", "edited"], "T": ["books", "near"], "B": ["tags", "reviews"], "R": []}
SINGLE = {"A": ["boss"], "T": [], "B": ["author", "editor", "author__boss"], "R": ["book", "by", "book__author"]}
NESTED = {"A": ["books__tags", "books__reviews", "minions__books"], "T": ["books__author", "near__near"], "B": ["tags__near", "author__minions"], "R": ["book__tags"]}
# (model, field, model of the field): what correlates an inner query with an outer one.
LINKS = {"A": [("B", "author"), ("B", "editor"), ("R", "by"), ("A", "boss")], "B": [("R", "book")], "T": [("B", "tags"), ("T", "near")], "R": [("R", "pk")]}


def constant(rng, kind):
    if kind == "int":
        return str(rng.randint(-2, 8))
    if kind == "num":
        return f"Decimal('{rng.choice(['0', '1', '1.50', '2.5', '-0.25', '3.33', '7'])}')"
    if kind == "float":
        return rng.choice(["0.5", "1.25", "-3.0", "2.0"])
    if kind == "text":
        return repr(rng.choice(TEXTS))
    if kind == "date":
        return rng.choice(DATES)
    if kind == "dt":
        return rng.choice(TIMES)
    if kind == "json":
        return rng.choice(DOCUMENTS)
    return rng.choice(["True", "False"])


class Orm:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.names = 0

    def chance(self, p):
        return self.rng.random() < p

    def opt(self, p, make):
        return mark("opt", make()) if self.chance(p) else ""

    def path(self, model, kind, many=0.3):
        choices = list(PATHS[model].get(kind, ()))
        if self.chance(many) or not choices:
            choices = choices + MANY[model].get(kind, [])
        return self.rng.choice(choices) if choices else None

    # ---- conditions ----

    def lookup(self, model, kind=None):
        """keyword=value"""
        rng = self.rng
        kind = kind or rng.choice(["int", "int", "int", "text", "text", "num", "date", "dt", "bool", "float", "json"])
        path = self.path(model, kind)
        if path is None:
            return self.lookup(model, "int")
        value = lambda: constant(rng, kind)  # noqa: E731
        if self.chance(0.12):
            return f"{path}__isnull={rng.choice(['True', 'False'])}"
        if kind == "bool":
            return f"{path}={value()}"
        if kind == "json":
            return rng.choice([f"{path}__a={constant(rng, rng.choice(['int', 'text']))}", f"{path}__a__isnull={rng.choice(['True', 'False'])}", f"{path}__has_key='a'", f"{path}__a__b=2", f"{path}={value()}",
                               f"{path}__contains={rng.choice(['{{}}', chr(123) + chr(39) + 'a' + chr(39) + ': 1}'])}".replace("{{}}", "{}"), f"{path}__has_any_keys=['a', 'zz']", f"{path}__a__in=[1, 'ab']"])
        forms = [f"{path}={value()}", f"{path}__gt={value()}", f"{path}__lte={value()}", f"{path}__lt={value()}", f"{path}__gte={value()}", f"{path}__in=[{value()}, {value()}, {value()}]",
                 f"{path}__range=({value()}, {value()})"]
        other = self.path(model, kind)
        forms += [f"{path}__{rng.choice(['exact', 'gt', 'lte'])}=F({other!r})"] * 2
        if kind == "text":
            forms += [f"{path}__{rng.choice(['iexact', 'contains', 'icontains', 'startswith', 'istartswith', 'endswith', 'iendswith'])}={value()}" for _ in range(4)] + [f"{path}__regex={rng.choice(['^a', 'b$', '^[a-c]+$', '.'])!r}",
                      f"{path}__iregex={rng.choice(['^A', 'É'])!r}", f"{path}__contains=F({other!r})", f"{path}__iexact=F({other!r})"]
        if kind in ("date", "dt"):
            forms += [f"{path}__{rng.choice(['year', 'month', 'day', 'week', 'week_day', 'quarter', 'iso_year'])}{rng.choice(['', '__gt', '__lte'])}={rng.choice([1, 2, 12, 29, 2000, 2020])}", f"{path}__year__in=[2000, 2020]"]
        if kind == "dt":
            forms += [f"{path}__date={rng.choice(DATES)}", f"{path}__hour={rng.randint(0, 23)}", f"{path}__date__gt={rng.choice(DATES)}"]
        if kind == "int":
            forms += [f"{path}__in={self.values_query(depth=0)}"] * 2
        return rng.choice(forms)

    def q(self, model, depth=2):
        rng = self.rng
        if depth > 0 and self.chance(0.5):
            sub = lambda: self.q(model, depth - 1)  # noqa: E731
            return mark("q", rng.choice([f"({sub()} & {sub()})", f"({sub()} | {sub()})", f"~{sub()}", f"({sub()} | ~{sub()})", f"({sub()} ^ {sub()})"]))
        shape = rng.random()
        if shape < 0.1:
            return mark("q", f"Q({rng.choice(['', '~'])}Exists({self.correlated(model)}))")
        if shape < 0.16:
            return mark("q", f"Q(pk__in={self.pk_query(model)})")
        if shape < 0.2:
            kind = rng.choice(["int", "text"])
            return mark("q", f"Q(GreaterThan({self.expression(model, kind, 1)}, {self.expression(model, kind, 1)}))")
        if shape < 0.24 and SINGLE[model]:
            field = rng.choice(SINGLE[model])
            target = "B" if field == "book" else "A"
            return mark("q", f"Q({field}__in={target}.filter({self.q(target, 0)}){self.opt(0.2, lambda: f'.order_by({chr(39)}pk{chr(39)})[:3]')})")
        return mark("q", f"Q({self.lookup(model)})" if self.chance(0.85) else f"Q({self.lookup(model, 'int')}, {self.lookup(model, 'text')})" if "x" else "")

    def filters(self, model, count=None):
        calls = ""
        for _ in range(self.rng.choice([0, 1, 1, 1, 2]) if count is None else count):
            calls += mark("opt", f".{self.rng.choice(['filter', 'filter', 'exclude'])}({self.q(model)})")
        return calls

    def values_query(self, depth=1):
        """One column of integers, as in __in."""
        model = self.rng.choice("ABTR")
        path = self.rng.choice(PATHS[model]["int"])
        slice_ = self.opt(0.2, lambda: f".order_by('pk')[:{self.rng.randint(1, 4)}]")
        return f"{model}.filter({self.q(model, depth)}).values({path!r}){slice_}"

    def pk_query(self, model):
        return f"{model}.filter({self.q(model, 1)}).values('pk'){self.opt(0.2, lambda: '.order_by(' + chr(39) + '-pk' + chr(39) + ')[:3]')}"

    def correlated(self, model):
        inner, field = self.rng.choice(LINKS[model])
        return f"{inner}.filter({field}=OuterRef('pk')){self.opt(0.7, lambda: f'.filter({self.q(inner, 0)})')}"

    # ---- expressions ----

    def expression(self, model, kind, depth=2, many=0.0):
        rng = self.rng
        if depth <= 0 or self.chance(0.4):
            path = self.path(model, kind, many)
            if path is None or self.chance(0.15):
                return mark(kind, f"Value({constant(rng, kind)})" if kind != "num" else f"Value({constant(rng, kind)}, output_field={FIELDS[kind]})")
            return mark(kind, f"F({path!r})")
        sub = lambda k=kind: self.expression(model, k, depth - 1, many)  # noqa: E731
        forms = [
            lambda: f"Coalesce({sub()}, {sub()})", lambda: f"Case(When({self.q(model, 1)}, then={sub()}), default={sub()})", lambda: f"Case(When({self.q(model, 0)}, then={sub()}), When({self.q(model, 0)}, then={sub()}))",
            lambda: f"Subquery({self.correlated_value(model, kind)}, output_field={FIELDS[kind]})",
        ]
        if kind != "bool":
            forms += [lambda: f"NullIf({sub()}, {sub()})", lambda: f"Greatest({sub()}, {sub()})", lambda: f"Least({sub()}, {sub()})"]
        forms += {
            "int": [lambda: f"({sub()} {rng.choice('+-*')} {sub()})", lambda: f"({sub()} + {rng.randint(1, 3)})", lambda: f"Length({sub('text')})", lambda: f"Abs({sub()})", lambda: f"({sub()} % 3)", lambda: f"StrIndex({sub('text')}, Value('b'))",
                    lambda: f"Extract{rng.choice(['Year', 'Month', 'Day', 'Week', 'WeekDay', 'Quarter'])}({sub('date')})", lambda: f"Cast({sub('bool')}, IntegerField())", lambda: f"Sign({sub()})" if False else f"(-{sub()})", lambda: f"({sub()} / 2)" if False else f"Mod({sub()}, 3)" if False else f"Cast({sub('num')}, IntegerField())"],
            "text": [lambda: f"Lower({sub()})", lambda: f"Upper({sub()})", lambda: f"Concat({sub()}, {sub()})", lambda: f"Substr({sub()}, {rng.randint(1, 2)}, {rng.randint(1, 2)})", lambda: f"Left({sub()}, 1)", lambda: f"Right({sub()}, 1)", lambda: f"Trim({sub()})",
                     lambda: f"Replace({sub()}, Value('a'), Value('b'))", lambda: f"Reverse({sub()})", lambda: f"Cast({sub('int')}, CharField())", lambda: f"LPad({sub()}, 3, Value('x'))", lambda: f"Repeat({sub()}, 2)"],
            "num": [lambda: f"ExpressionWrapper({sub()} {rng.choice('+-')} {sub()}, output_field={FIELDS['num']})", lambda: f"ExpressionWrapper({sub()} * 2, output_field={FIELDS['num']})", lambda: f"Round({sub()}, 1)", lambda: f"Cast({sub('int')}, {FIELDS['num']})"],
            "float": [lambda: f"({sub()} + {sub()})", lambda: f"({sub()} * 2.0)", lambda: f"Cast({sub('int')}, FloatField())", lambda: f"Floor({sub()})", lambda: f"Abs({sub()})"],
            "bool": [lambda: f"ExpressionWrapper({self.q(model, 1)}, output_field=BooleanField())", lambda: f"Exists({self.correlated(model)})", lambda: f"~Exists({self.correlated(model)})"],
            "date": [lambda: f"Trunc{rng.choice(['Month', 'Year', 'Week', 'Quarter'])}({sub()}, output_field=DateField())", lambda: f"TruncDate({sub('dt')})"],
            "dt": [lambda: f"Trunc{rng.choice(['Month', 'Hour', 'Day', 'Week'])}({sub()}, output_field=DateTimeField())", lambda: f"ExpressionWrapper({sub()} + timedelta(hours={rng.randint(1, 40)}), output_field=DateTimeField())"],
        }[kind] * 2
        return mark(kind, rng.choice(forms)())

    def correlated_value(self, model, kind):
        inner, field = self.rng.choice(LINKS[model])
        path = self.path(inner, kind, 0)
        value = repr(path) if path else f"v={self.expression(inner, kind, 0)}"
        if path and kind == "int" and self.chance(0.4):
            return f"{inner}.filter({field}=OuterRef('pk')).order_by().values({field!r}).annotate(n={self.rng.choice(['Count', 'Sum', 'Max'])}({path!r})).values('n')"
        return f"{inner}.filter({field}=OuterRef('pk')).order_by('pk').values({value})[:1]"

    def aggregate(self, model):
        """(kind, source)"""
        rng = self.rng
        kind = rng.choice(["int", "int", "int", "text", "num", "date"])
        path = self.path(model, kind, 0.6)
        if path is None:
            kind, path = "int", self.path(model, "int", 0.6)
        filter_ = self.opt(0.25, lambda: f", filter={self.q(model, 0)}")
        argument = repr(path) if self.chance(0.75) else self.expression(model, kind, 1, 0.3)
        call = rng.choice(["Count", "Count", "Min", "Max"] + ["Sum", "Avg"] * (kind in ("int", "num")))
        distinct = self.opt(0.25, lambda: ", distinct=True") if call in ("Count", "Sum", "Avg") else ""
        result = {"Count": "int", "Avg": "float", "Sum": kind}.get(call, kind)
        if call == "Avg" and kind == "num":
            result = "num"
        return result, f"{call}({argument}{distinct}{filter_})"

    # ---- queries ----

    def order(self, keys):
        return ", ".join(f"F({key!r}).{self.rng.choice(['asc', 'desc'])}({self.rng.choice(['nulls_first', 'nulls_last'])}=True)" for key in keys)

    def query(self):
        """(source, ordered)"""
        rng = self.rng
        model = rng.choice("AABBBTR")
        shape = rng.random()
        base = f"{model}{self.filters(model)}"
        if shape < 0.17:
            return self.objects(model, base)
        if shape < 0.42:
            return self.annotated(model, base)
        if shape < 0.62:
            return self.grouped(model, base)
        if shape < 0.7:
            parts = [f"x{n}={self.aggregate(model)[1]}" for n in range(rng.randint(1, 3))]
            return f"{base}{self.opt(0.3, self.annotation(model))}.aggregate({parts[0]}{''.join(mark('opt', ', ' + part) for part in parts[1:])})", False
        if shape < 0.78:
            kind = rng.choice(["int", "text"])
            parts = [f"{other}{self.filters(other)}.values_list({self.path(other, kind, 0.2)!r})" for other in (model, rng.choice("ABR"), rng.choice("ABR"))]
            combined = f"{parts[0]}.{rng.choice(['union', 'union', 'intersection', 'difference'])}({parts[1]}{self.opt(0.2, lambda: ', ' + parts[2])}{self.opt(0.0, lambda: '')})"
            return rng.choice([(combined, False), (f"{combined}.count()", False), (f"{parts[0]}.union({parts[1]}, all=True)", False), (f"{combined}.exists()", False)])
        if shape < 0.88:
            return self.windowed(model, base)
        tail = rng.choice([".count()", ".exists()", ".order_by('pk').first()", ".order_by('pk').last()", ".distinct().count()", f".values({self.path(model, 'int', 0.3)!r}).distinct()", f".in_bulk({[rng.randint(0, 9) for _ in range(3)]})",
                           f".values_list({self.path(model, 'text', 0.3)!r}, flat=True).distinct()", f".order_by('pk')[{rng.randint(0, 2)}:{rng.randint(3, 6)}].count()", ".distinct()", ".reverse().order_by('-pk')", ".none()", f".contains({model}.get(pk=1))", ".only('pk')", ".order_by('pk').iterator()"])
        if model == "B" and self.chance(0.2):
            tail = rng.choice([".filter(day__isnull=False).dates('day', 'month')", ".filter(published__isnull=False).datetimes('published', 'day')", ".filter(published__isnull=False).dates('published', 'year')"])
            return base + tail, False
        return base + tail, False

    def annotation(self, model):
        kind = self.rng.choice(["int", "int", "text", "float", "date", "bool", "num"])
        self.names += 1
        return lambda: f".annotate(y{self.names}={self.expression(model, kind)})"

    def objects(self, model, base):
        rng = self.rng
        calls = ""
        if SINGLE[model] and self.chance(0.5):
            calls += mark("opt", f".select_related({rng.choice(SINGLE[model])!r})")
        if RELATED[model] and self.chance(0.5):
            name = rng.choice(RELATED[model] + NESTED[model])
            calls += mark("opt", f".prefetch_related({name!r})")
        if self.chance(0.4):
            key = self.path(model, rng.choice(["int", "text"]), 0)
            return f"{base}{calls}.order_by({self.order([key])}, 'pk'){self.opt(0.5, lambda: f'[{rng.randint(0, 2)}:{rng.randint(2, 7)}]')}", True
        return f"{base}{calls}", False

    def annotated(self, model, base):
        rng = self.rng
        kinds = [rng.choice(["int", "int", "text", "float", "date", "bool", "num", "dt"]) for _ in range(rng.choice([1, 1, 2]))]
        annotations = "".join(f".annotate(x{n}={self.expression(model, kind, 2, 0.15)})" for n, kind in enumerate(kinds))
        filters = self.opt(0.4, lambda: f".{rng.choice(['filter', 'exclude'])}(x0__{rng.choice(['isnull=False', 'isnull=True', 'in=[' + constant(rng, kinds[0]) + ']'])})")
        if kinds[0] not in ("bool",):
            filters += self.opt(0.3, lambda: f".{rng.choice(['filter', 'exclude'])}(x0__{rng.choice(['gt', 'lte', 'exact'])}={constant(rng, kinds[0])})")
        names = ", ".join(f"'x{n}'" for n in range(len(kinds)))
        if self.chance(0.35):
            return f"{base}{annotations}{filters}.order_by({self.order(['x0'])}, {names}, 'pk').values_list('pk', {names}){self.opt(0.4, lambda: f'[:{rng.randint(1, 5)}]')}".replace(f", {names}, 'pk')", ", 'pk')"), False if "__" in annotations else True
        return f"{base}{annotations}{filters}.values_list('pk', {names})", False

    def grouped(self, model, base):
        rng = self.rng
        result, aggregate = self.aggregate(model)
        more = self.opt(0.4, lambda: f", b={self.aggregate(model)[1]}")
        having = ""
        if result in ("int", "float", "num"):
            having = self.opt(0.35, lambda: f".{rng.choice(['filter', 'exclude'])}(a__{rng.choice(['gt', 'lt', 'isnull'])}={rng.choice(['1', '2'])})".replace("isnull=1", "isnull=True").replace("isnull=2", "isnull=False"))
        if self.chance(0.45):
            group = f".values({self.path(model, rng.choice(['int', 'text', 'bool', 'date']), 0.2)!r})" if self.chance(0.7) else f".annotate(g={self.expression(model, rng.choice(['int', 'text', 'bool']), 1)}).values('g')"
            if "None" in group:
                group = ".values('pk')"
            tail = rng.choice(["", "", ".order_by('a')" if False else "", ".count()", ".values_list('a')"])
            return f"{base}{group}.annotate(a={aggregate}{more}){having}{tail}", False
        tail = rng.choice([".values_list('pk', 'a')", ".values_list('pk', 'a')", "", ".count()", ".aggregate(z=Max('a'))" if result in ("int", "num", "float") else ".count()"])
        return f"{base}.annotate(a={aggregate}{more}){having}{tail}", False

    def windowed(self, model, base):
        rng = self.rng
        kind = rng.choice(["int", "text"])
        path = rng.choice(PATHS[model][kind])
        partition = self.opt(0.6, lambda: f"partition_by=[F({rng.choice(PATHS[model]['int'])!r})], ")
        call = rng.choice(["RowNumber()", "Rank()", "DenseRank()", f"Lag({path!r})", f"Lead({path!r}, 2)", f"FirstValue({path!r})", f"LastValue({path!r})", f"Count({path!r})", f"Max({path!r})", "PercentRank()", "CumeDist()", "Ntile(3)", f"NthValue({path!r}, 2)"])
        total = "" if call.split("(")[0] in ("Rank", "DenseRank", "PercentRank", "CumeDist", "Count", "Max") and self.chance(0.6) else ", F('pk').asc()"
        frame = self.opt(0.2, lambda: f", frame=RowRange(start={rng.choice(['-1', 'None'])}, end={rng.choice(['0', '1', 'None'])})") if total and not call.startswith(("Lag", "Lead", "Row", "Ntile", "Rank", "Dense", "Percent", "Cume")) else ""
        window = f"Window({call}, {partition}order_by=[{self.order([rng.choice(PATHS[model]['int'])])}{total}]{frame})"
        filter_ = self.opt(0.25, lambda: ".filter(w__gt=1)") if call.split("(")[0] in ("RowNumber", "Rank", "DenseRank", "Count") else ""
        return f"{base}.annotate(w={window}){filter_}.values_list('pk', 'w')", False

    def write(self):
        """Source of a change; what it returns is compared, then every table."""
        rng = self.rng
        model = rng.choice("AABBRT")
        base = f"{model}{self.filters(model, rng.choice([1, 1, 2]))}"
        fields = {"A": [("score", "int"), ("name", "text"), ("rating", "float"), ("active", "bool"), ("born", "date")], "B": [("pages", "int"), ("title", "text"), ("price", "num"), ("day", "date"), ("published", "dt")],
                  "R": [("stars", "int"), ("text", "text"), ("good", "bool")], "T": [("weight", "int")]}[model]
        shape = rng.random()
        if shape < 0.55:
            sets = []
            for name, kind in rng.sample(fields, rng.randint(1, min(2, len(fields)))):
                sub = Plain(rng.random())
                value = sub.expression(model, kind, 2) if self.chance(0.7) else constant(rng, kind)
                if name in ("title", "stars", "active", "text"):
                    value = f"Coalesce({value}, Value({constant(rng, kind)}))" if "(" in value else value
                if kind == "text":
                    value = f"Left({value}, 5)" if "(" in value else value
                sets.append(f"{name}={value}")
            return f"{base}.update({sets[0]}{''.join(mark('opt', ', ' + one) for one in sets[1:])})"
        if shape < 0.75:
            return f"{base}.delete()"
        key = rng.randint(1, 12)
        return {
            "A": rng.choice([f"A.create(pk={key + 50}, name={constant(rng, 'text')})", f"[x.score for x in A.bulk_create([Author(pk={key}, score=1), Author(pk={key + 60}, score=2)], ignore_conflicts=True)]",
                             f"len(A.bulk_create([Author(pk={key}, score=7, active=False), Author(pk={key + 60}, score=2)], update_conflicts=True, unique_fields=['id'], update_fields=['score']))", f"A.update_or_create(pk={key}, defaults={{'score': 5}})[1]",
                             f"A.create(pk={key})"]),
            "B": rng.choice([f"B.get(pk={min(key, 9)}).tags.add(*T.filter({self.q('T', 0)}))", f"B.get(pk={min(key, 9)}).tags.set(T.filter({self.q('T', 0)}))", f"B.get(pk={min(key, 9)}).tags.clear()", f"B.get(pk={min(key, 9)}).tags.remove(*T.filter({self.q('T', 0)}))",
                             f"B.bulk_update([Book(pk=1, pages=4), Book(pk=2, pages=None), Book(pk={key}, pages=9)], ['pages'])"]),
            "R": rng.choice([f"R.get_or_create(book_id=1, by_id={min(key, 9)}, defaults={{'stars': 3, 'pk': 99}})[1]", f"R.create(pk=98, book_id=2, by_id={min(key, 9)}, stars=1)", f"A.get(pk={min(key, 9)}).reviews.update(stars=F('stars') + 1)"]),
            "T": rng.choice([f"T.create(pk=77, word={constant(rng, 'text')})", f"T.get_or_create(word={constant(rng, 'text')}, defaults={{'pk': 78}})[1]", f"T.get(pk=1).near.add(*T.filter({self.q('T', 0)}))"]),
        }[model]


class Plain(Orm):
    """Without what update() refuses: paths through relations."""

    def path(self, model, kind, many=0.3):
        choices = [path for path in PATHS[model].get(kind, ()) if "__" not in path and path != "id"]
        return self.rng.choice(choices) if choices else None
