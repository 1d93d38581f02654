/* ddl_native.c - MongoDB's own kinds of indexes and collections, said as index methods and WITH options.
 *
 * In: CREATE INDEX ... USING method (...) WITH (...), CREATE TABLE ... WITH (...). Out: the method and the options in the catalogue, as the JSON of what createIndexes and
 * create take; and from the catalogue their part of an index specification. Values are checked here, so that a mistake is an error at its place and not
 * the server's answer in the middle of a definition.
 *
 *     CREATE INDEX i ON visit USING ttl (at) WITH (expire_after_seconds = 3600)     {key: {at: 1}, name: "i", expireAfterSeconds: 3600}
 *     CREATE INDEX i ON book USING text (title, blog.tagline) WITH (weights = '{"title": 3}')
 *                                                       {key: {title: "text", "blog.tagline": "text"}, name: "i", weights: {title: 3}}
 *     CREATE TABLE log (id bigint PRIMARY KEY, line text) WITH (capped = true, size = 4096)      {create: "log", capped: true, size: 4096}
 *
 * The names of fields inside options (weights, wildcard_projection) are the documents'. Not here: how ordinary indexes lie in MongoDB (ddl_plan.c). */
#include "ddl_internal.h"

#include <math.h>

#include "eval.h"
#include "function.h"

typedef enum OptionKind { OPTION_BOOL, OPTION_INTEGER, OPTION_NUMBER, OPTION_TEXT, OPTION_DOCUMENT, OPTION_IGNORED } OptionKind;

/* methods: which indexes know it; NULL: collections. */
typedef struct Option { const char *name, *field; OptionKind kind; const char *methods; } Option;

static const Option index_options[] = {
    {"background", "", OPTION_IGNORED, "btree ttl text hashed 2dsphere wildcard"},     /* what it asked for is how indexes are built since MongoDB 4.2 */
    {"collation", "collation", OPTION_DOCUMENT, "btree ttl hashed wildcard"},
    {"default_language", "default_language", OPTION_TEXT, "text"},
    {"expire_after_seconds", "expireAfterSeconds", OPTION_INTEGER, "ttl"},
    {"language_override", "language_override", OPTION_TEXT, "text"},
    {"max", "max", OPTION_NUMBER, "2dsphere"},
    {"min", "min", OPTION_NUMBER, "2dsphere"},
    {"sparse", "sparse", OPTION_BOOL, "btree ttl hashed 2dsphere"},
    {"text_index_version", "textIndexVersion", OPTION_INTEGER, "text"},
    {"weights", "weights", OPTION_DOCUMENT, "text"},
    {"wildcard_projection", "wildcardProjection", OPTION_DOCUMENT, "wildcard"},
};

static const Option table_options[] = {
    {"capped", "capped", OPTION_BOOL, NULL},
    {"max", "max", OPTION_INTEGER, NULL},
    {"size", "size", OPTION_INTEGER, NULL},
};

/* ---- options ---- */

static Str constant(Ddl *d, const AstOption *o, Value *v) {
    Text sql = {.arena = &d->arena};
    *v = sqm_null();
    if (o->value->tag == AST_COLUMN && !o->value->qualifier.n) return o->value->name;      /* default_language = english */
    ast_expr_sql(&sql, o->value);
    const Expr *e = ddl_default(d, d->next, (Str){sql.p, (uint32_t)sql.n});
    Eval ev = {.arena = &d->arena, .now = d->now, .error = d->cc.error};
    if (!expr_is_constant(e)) fail(&d->cc, SQM_ERROR_SYNTAX, o->pos, "option \"" STR_FMT "\" needs a constant", STR_ARG(o->name));
    if (!eval(&ev, e, v)) ddl_raise(d);
    return v->type == SQM_TEXT ? (Str){v->u.text, v->len} : (Str){0};
}

static _Noreturn void wrong(Ddl *d, const AstOption *o, const char *needs) {
    fail(&d->cc, SQM_ERROR_INVALID_ARGUMENT, o->pos, "option \"" STR_FMT "\" needs %s", STR_ARG(o->name), needs);
}

static void append_option(Ddl *d, bson_t *out, const AstOption *o, const Option *known) {
    Value v;
    Str text = constant(d, o, &v);
    bson_error_t problem;
    switch (known->kind) {
    case OPTION_IGNORED: break;
    case OPTION_BOOL:
        if (v.type != SQM_BOOL) wrong(d, o, "true or false");
        if (v.u.b) bson_append_bool(out, known->field, -1, true);
        break;
    case OPTION_INTEGER:
        if (v.type != SQM_INT || v.u.i < 0) wrong(d, o, "a number that isn't negative");
        bson_append_int64(out, known->field, -1, v.u.i);
        break;
    case OPTION_NUMBER:
        if (v.type == SQM_DECIMAL && !cast_value(&(Eval){.arena = &d->arena, .error = d->cc.error}, &v, TYPE(FLOAT8), &v)) ddl_raise(d);
        if (v.type == SQM_INT) v = sqm_double((double)v.u.i);
        if (v.type != SQM_DOUBLE || !isfinite(v.u.d)) wrong(d, o, "a number");
        bson_append_double(out, known->field, -1, v.u.d);
        break;
    case OPTION_TEXT:
        if (!text.n) wrong(d, o, "a text");
        bson_append_utf8(out, known->field, -1, text.p, (int)text.n);
        break;
    case OPTION_DOCUMENT: {
        bson_t *document = bson_new_from_json((const uint8_t *)(text.n ? text.p : ""), (ssize_t)text.n, &problem);
        if (!text.n || !document) wrong(d, o, "a document as JSON, '{\"name\": value}'");
        bson_append_document(out, known->field, -1, document);
        bson_destroy(document);
        break;
    }
    }
}

static bool is_word_of(const char *words, Str word) {
    for (const char *at = words; at && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == word.n && memcmp(at, word.p, n) == 0) return true;
        at += n;
    }
    return false;
}

static Str stored(Ddl *d, const bson_t *options) {
    if (bson_empty(options)) return (Str){0};
    char *json = bson_as_relaxed_extended_json(options, NULL);
    Str kept = arena_str(&d->next->arena, json, (uint32_t)strlen(json));
    bson_free(json);
    return kept;
}

static void read_options(Ddl *d, const AstOptions *options, const Option *known, int n, Str method, bson_t *out) {
    for (int i = 0; i < options->n; i++) {
        const AstOption *o = &options->at[i];
        const Option *found = NULL;
        for (int k = 0; k < n; k++)
            if (str_ieq(o->name, str_from(known[k].name)) && (!known[k].methods || is_word_of(known[k].methods, method))) found = &known[k];
        if (!found) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, o->pos, method.n ? "option \"" STR_FMT "\" of this kind of index is not supported" : "option \"" STR_FMT "\" is not supported", STR_ARG(o->name));
        if (*found->field && bson_has_field(out, found->field)) fail(&d->cc, SQM_ERROR_SYNTAX, o->pos, "option \"" STR_FMT "\" is given twice", STR_ARG(o->name));
        if (o->value) append_option(d, out, o, found);
    }
}

static bson_t *options_of(Ddl *d, Str options) {
    bson_t *parsed = options.n ? bson_new_from_json((const uint8_t *)options.p, (ssize_t)options.n, NULL) : NULL, *owned = ddl_bson(d);
    if (parsed) bson_concat(owned, parsed), bson_destroy(parsed);
    return owned;
}

/* ---- indexes ---- */

/* What an index with this method can't have. */
static void refuse_if(Ddl *d, bool wrong_, Pos pos, Str method, const char *what) {
    if (wrong_) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "%s in an index USING " STR_FMT " is not supported", what, STR_ARG(method));
}

static bool is_date(const Table *t, const IndexKey *k) {
    TypeTag tag = t->columns.at[k->column].type.tag;
    return k->path.n || tag == TYPE_DATE || tag == TYPE_TIMESTAMP || tag == TYPE_TIMESTAMPTZ || tag == TYPE_UNKNOWN || tag == TYPE_JSON || tag == TYPE_DOCUMENT || tag == TYPE_ARRAY;
}

bool ddl_asks_native(const AstCreateIndex *s) {
    bool native = s->method.n && !str_ieq(s->method, STR("btree")) && !str_ieq(s->method, STR("hash")) && !str_ieq(s->method, STR("brin"));
    for (int i = 0; i < s->options.n; i++) native |= str_ieq(s->options.at[i].name, STR("collation"));
    return native;
}

bool ddl_index_is_native(const Index *index) { return index->method.n || (index->options.n && strstr(index->options.p, "\"collation\"")); }

void ddl_native_index(Ddl *d, const Table *t, const AstCreateIndex *s, Index *index) {
    static const char *const ordinary[] = {"btree", "hash", "brin"}, *const native[] = {"hashed", "text", "2dsphere", "wildcard", "ttl"};
    Pos pos = d->stmt->pos;
    Str method = s->method;
    for (int i = 0; i < 3; i++)
        if (str_ieq(method, str_from(ordinary[i]))) method = (Str){0};
    for (int i = 0; i < 5 && method.n; i++)
        if (str_ieq(method, str_from(native[i]))) index->method = str_from(native[i]);
    if (method.n && !index->method.n) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "an index with method " STR_FMT " is not supported", STR_ARG(method));
    method = index->method;
    bool ttl = str_is(method, "ttl"), wildcard = str_is(method, "wildcard"), hashed = str_is(method, "hashed");
    bson_t *options = ddl_bson(d);
    read_options(d, &s->options, index_options, (int)(sizeof index_options / sizeof *index_options), method.n ? method : STR("btree"), options);
    index->options = stored(d, options);
    refuse_if(d, bson_has_field(options, "sparse") && s->where, pos, method.n ? method : STR("btree"), "both sparse and WHERE");
    for (int i = 0; i < index->keys.n; i++) {
        const IndexKey *k = &index->keys.at[i];
        bool whole = k->column < 0;
        if (whole && !wildcard) fail(&d->cc, SQM_ERROR_SYNTAX, s->keys.at[i].pos, "only a wildcard index is on *");
        if (k->path.n) {
            TypeTag tag = t->columns.at[k->column].type.tag;
            if (tag != TYPE_JSON && tag != TYPE_DOCUMENT && tag != TYPE_ARRAY && tag != TYPE_UNKNOWN)
                fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, s->keys.at[i].pos, "column \"" STR_FMT "\" has no inner fields", STR_ARG(t->columns.at[k->column].name));
        }
        if (!method.n) continue;
        refuse_if(d, k->expr_text.n > 0, s->keys.at[i].pos, method, "an expression");
        refuse_if(d, k->descending && !ttl, s->keys.at[i].pos, method, "DESC");
        if (ttl && !is_date(t, k)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, s->keys.at[i].pos, "rows expire by a date, column \"" STR_FMT "\" is none", STR_ARG(t->columns.at[k->column].name));
        if (ttl && str_is(t->columns.at[k->column].field, "_id")) refuse_if(d, true, s->keys.at[i].pos, method, "the primary key");
    }
    if (!method.n) return;
    refuse_if(d, s->unique && !ttl, pos, method, "UNIQUE");
    refuse_if(d, s->include.n > 0, pos, method, "INCLUDE");
    refuse_if(d, index->keys.n > 1 && (ttl || hashed || wildcard), s->keys.at[index->keys.n > 1].pos, method, "a second key");
    if (ttl && !bson_has_field(options, "expireAfterSeconds")) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "a ttl index needs WITH (expire_after_seconds = ...)");
    if (wildcard && bson_has_field(options, "wildcardProjection") && index->keys.at[0].column >= 0) refuse_if(d, true, pos, method, "wildcard_projection beside a column");
    for (int i = 0; str_is(method, "text") && i < t->indexes.n; i++)
        if (str_is(t->indexes.at[i].method, "text"))
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "a second text index is not supported: table \"" STR_FMT "\" has \"" STR_FMT "\"", STR_ARG(t->name), STR_ARG(t->indexes.at[i].name));
}

Str ddl_key_field(Ddl *d, const Table *t, const IndexKey *k) {
    if (k->column < 0) return STR("$**");
    Str field = t->columns.at[k->column].field;
    return k->path.n ? arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(field), STR_ARG(k->path)) : field;
}

void ddl_native_key(Ddl *d, const Table *t, const Index *index, const IndexKey *k, bson_t *key) {
    Str field = ddl_key_field(d, t, k), method = index->method;
    if (str_is(method, "wildcard")) {
        if (k->column >= 0) field = arena_printf(&d->arena, STR_FMT ".$**", STR_ARG(field));
    } else if (str_is(method, "2dsphere")) {
        TypeTag tag = t->columns.at[k->column].type.tag;
        bool place = k->path.n || tag == TYPE_JSON || tag == TYPE_DOCUMENT || tag == TYPE_ARRAY || tag == TYPE_UNKNOWN;
        if (!place) method = (Str){0};      /* {place: "2dsphere", category: 1} */
    }
    if (!method.n || str_is(method, "ttl") || str_is(method, "wildcard")) bson_append_int32(key, field.p, (int)field.n, k->descending ? -1 : 1);
    else bson_append_utf8(key, field.p, (int)field.n, method.p, (int)method.n);
}

void ddl_native_options(Ddl *d, const Index *index, bson_t *spec) {
    bson_t *options = options_of(d, index->options);
    bson_iter_t it;
    bool partial = bson_has_field(spec, "partialFilterExpression");
    if (!bson_iter_init(&it, options)) return;
    while (bson_iter_next(&it))
        if (!partial || strcmp(bson_iter_key(&it), "sparse") != 0) bson_append_iter(spec, NULL, 0, &it);      /* a partial index is sparse already */
}

/* {"title": 3, "blog.name": 1} with the field `from` called `to`. */
static void rename_fields(Ddl *d, const bson_t *fields, Str from, Str to, bson_t *out) {
    bson_iter_t it;
    if (!bson_iter_init(&it, fields)) return;
    while (bson_iter_next(&it)) {
        Str key = {bson_iter_key(&it), bson_iter_key_len(&it)};
        if (key.n >= from.n && memcmp(key.p, from.p, from.n) == 0 && (key.n == from.n || key.p[from.n] == '.'))
            key = arena_printf(&d->arena, STR_FMT "%.*s", STR_ARG(to), (int)(key.n - from.n), key.p + from.n);
        bson_append_iter(out, key.p, (int)key.n, &it);
    }
}

void ddl_native_rename(Ddl *d, Index *index, Str from, Str to) {
    if (!strstr(index->options.n ? index->options.p : "", "\"weights\"") && !strstr(index->options.n ? index->options.p : "", "\"wildcardProjection\"")) return;
    bson_t *options = options_of(d, index->options), *changed = ddl_bson(d), inner, renamed;
    bson_iter_t it;
    if (!bson_iter_init(&it, options)) return;
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const uint8_t *bytes;
        uint32_t n;
        if (strcmp(key, "weights") != 0 && strcmp(key, "wildcardProjection") != 0) {
            bson_append_iter(changed, NULL, 0, &it);
            continue;
        }
        bson_iter_document(&it, &n, &bytes);
        if (!bson_init_static(&inner, bytes, n)) continue;
        bson_append_document_begin(changed, key, -1, &renamed);
        rename_fields(d, &inner, from, to, &renamed);
        bson_append_document_end(changed, &renamed);
    }
    index->options = stored(d, changed);
}

/* ---- collections ---- */

Str ddl_native_collection(Ddl *d, Str old, const AstOptions *options) {
    bson_t *out = ddl_bson(d);
    bson_iter_t it;
    read_options(d, options, table_options, (int)(sizeof table_options / sizeof *table_options), (Str){0}, out);
    if (old.n && bson_iter_init(&it, options_of(d, old)))
        while (bson_iter_next(&it)) {
            bool named = false;
            for (int i = 0; i < options->n; i++) named |= str_ieq(options->at[i].name, str_from(bson_iter_key(&it)));
            if (!named) bson_append_iter(out, NULL, 0, &it);
        }
    if (bson_has_field(out, "capped") != bson_has_field(out, "size") || (bson_has_field(out, "max") && !bson_has_field(out, "capped")))
        fail(&d->cc, SQM_ERROR_SYNTAX, options->at[0].pos, "a capped table needs capped = true and its size in bytes; max is a capped table's");
    return stored(d, out);
}

void ddl_native_create(Ddl *d, const Table *t, bson_t *command) { bson_concat(command, options_of(d, t->options)); }

/* ---- keys inside documents ---- */

/* (author.name.first) in parentheses, and JSON_VALUE(author, '$.name.first' ...), which conditions on that path become: keys on the field itself. A unique
 * index over JSON_VALUE stays one over its values, which arrays and other types don't have. */
static bool dotted(Ddl *d, const AstExpr *e, Str *column, Str *path) {
    if (e->tag == AST_FIELD) {
        if (!dotted(d, e->args.at[0], column, path)) return false;
        *path = path->n ? arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(*path), STR_ARG(e->name)) : e->name;
        return true;
    }
    if (e->tag != AST_COLUMN) return false;
    *column = e->qualifier.n ? e->qualifier : e->name;
    *path = e->qualifier.n ? e->name : (Str){0};
    return true;
}

static bool plain_json_value(const AstExpr *e, Str *column, Str *path) {
    if (e->tag != AST_FUNCTION || !str_is(e->name, "json_value") || !e->type || e->args.n != 2 || e->args.at[0]->tag != AST_COLUMN || e->args.at[0]->qualifier.n) return false;
    const AstExpr *steps = e->args.at[1];
    if (steps->tag != AST_LITERAL || steps->literal.type != SQM_TEXT || steps->literal.len < 3 || memcmp(steps->literal.u.text, "$.", 2) != 0) return false;
    Str text = {steps->literal.u.text + 2, steps->literal.len - 2};
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80, digit = c >= '0' && c <= '9', first = i == 0 || text.p[i - 1] == '.';
        if (!name && !(digit && !first) && !(c == '.' && !first && i + 1 < text.n)) return false;
    }
    *column = e->args.at[0]->name;
    *path = text;
    return true;
}

AstIndexKey ddl_index_key(Ddl *d, const Table *t, const AstIndexKey *given, bool unique) {
    AstIndexKey k = *given;
    Str column = {0}, path = {0};
    if (!k.expr || !((dotted(d, k.expr, &column, &path) && path.n) || (!unique && plain_json_value(k.expr, &column, &path))) || table_find_column(t, column) < 0) return k;
    k.column = column;
    k.path = path;
    k.expr = NULL;
    k.expr_text = (Str){0};
    return k;
}
