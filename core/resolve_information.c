/* resolve_information.c - the information schema of the SQL standard (ISO/IEC 9075-11), of the parts that applications and tools ask: what it lists is known when a statement is compiled,
 * so that a reference to information_schema.tables is a list of VALUES. Names, types and contents are PostgreSQL's where both have them; table_comment and column_comment are MySQL's.
 *
 * A statement that reads it is compiled anew each time it runs, for a catalogue loaded then (Resolved.reads_catalogue): what it lists includes collections that other programs have made. */
#include "resolve_internal.h"

typedef struct InformationColumn { const char *name; TypeTag type; } InformationColumn;
enum { MOST_COLUMNS = 20 };

typedef struct Listing {
    Resolver *r;
    Rel *rel;
    Exprs row;
    Pos pos;
} Listing;

static void put(Listing *l, Value v, TypeTag type) { vec_push(l->r->cc->arena, &l->row, expr_const(l->r, v, type_of(type), l->pos)); }

static void put_null(Listing *l, TypeTag type) { put(l, sqm_null(), type); }

static void put_text(Listing *l, Str text) {
    if (text.n) put(l, sqm_text(text.p, text.n), TYPE_TEXT);
    else put_null(l, TYPE_TEXT);
}

static void put_word(Listing *l, const char *word) { put_text(l, str_from(word)); }

static void put_number(Listing *l, int64_t n) {
    if (n >= 0) put(l, sqm_int(n), TYPE_INT4);
    else put_null(l, TYPE_INT4);
}

static void put_yes(Listing *l, bool yes) { put_word(l, yes ? "YES" : "NO"); }

static void put_schema(Listing *l) {
    put_text(l, l->r->catalog->database);
    put_word(l, "public");
}

static void end_row(Listing *l) {
    vec_push(l->r->cc->arena, &l->rel->values, l->row);
    l->row = (Exprs){0};
}

/* ---- what is listed ---- */

static const InformationColumn tables_columns[MOST_COLUMNS] = {
    {"table_catalog", TYPE_TEXT}, {"table_schema", TYPE_TEXT}, {"table_name", TYPE_TEXT}, {"table_type", TYPE_TEXT}, {"is_insertable_into", TYPE_TEXT}, {"table_comment", TYPE_TEXT}};

static void list_table(Listing *l, const Table *t) {
    put_schema(l);
    put_text(l, t->name);
    put_word(l, t->view_text.n ? "VIEW" : "BASE TABLE");
    put_yes(l, !t->view_text.n);
    put_text(l, t->comment);
    end_row(l);
}

static const InformationColumn views_columns[MOST_COLUMNS] = {{"table_catalog", TYPE_TEXT}, {"table_schema", TYPE_TEXT}, {"table_name", TYPE_TEXT}, {"view_definition", TYPE_TEXT}};

static void list_view(Listing *l, const Table *t) {
    if (!t->view_text.n) return;
    put_schema(l);
    put_text(l, t->name);
    put_text(l, t->view_text);
    end_row(l);
}

static const InformationColumn columns_columns[MOST_COLUMNS] = {
    {"table_catalog", TYPE_TEXT}, {"table_schema", TYPE_TEXT}, {"table_name", TYPE_TEXT}, {"column_name", TYPE_TEXT}, {"ordinal_position", TYPE_INT4}, {"column_default", TYPE_TEXT},
    {"is_nullable", TYPE_TEXT}, {"data_type", TYPE_TEXT}, {"character_maximum_length", TYPE_INT4}, {"numeric_precision", TYPE_INT4}, {"numeric_scale", TYPE_INT4},
    {"collation_name", TYPE_TEXT}, {"is_identity", TYPE_TEXT}, {"is_generated", TYPE_TEXT}, {"generation_expression", TYPE_TEXT}, {"column_comment", TYPE_TEXT}};

/* The standard's name of a type, where it isn't the one that the catalogue stores. */
static const char *data_type(Type type, char *out, size_t size) {
    if (type.tag == TYPE_ARRAY && type.element != TYPE_UNKNOWN) return "ARRAY";
    if (type.tag == TYPE_VARCHAR) return "character varying";
    if (type.tag == TYPE_CHAR) return "character";
    if (type.tag == TYPE_TIMESTAMP) return "timestamp without time zone";
    if (type.tag == TYPE_TIME) return "time without time zone";
    type.length = -1;
    return type_text(type, out, size);
}

static void put_precision(Listing *l, Type type) {
    bool numeric = type.tag == TYPE_NUMERIC;
    int bits = type.tag == TYPE_INT2 ? 16 : type.tag == TYPE_INT4 ? 32 : type.tag == TYPE_INT8 ? 64 : type.tag == TYPE_FLOAT4 ? 24 : type.tag == TYPE_FLOAT8 ? 53 : -1;
    bool integer = type.tag == TYPE_INT2 || type.tag == TYPE_INT4 || type.tag == TYPE_INT8;
    put_number(l, numeric ? type.length : bits);
    put_number(l, numeric && type.length >= 0 ? type.scale : integer ? 0 : -1);
}

static void list_columns(Listing *l, const Table *t) {
    for (int i = 0, position = 0; i < t->columns.n; i++) {
        const Column *c = &t->columns.at[i];
        if (c->hidden) continue;
        char type[64];
        put_schema(l);
        put_text(l, t->name);
        put_text(l, c->name);
        put_number(l, ++position);
        put_text(l, c->default_text);
        put_yes(l, !c->not_null);
        put_text(l, arena_printf(l->r->cc->arena, "%s", data_type(c->type, type, sizeof type)));
        put_number(l, type_is_text(c->type) ? c->type.length : -1);
        put_precision(l, c->type);
        put_text(l, str_is(c->collation, "default") ? (Str){0} : c->collation);
        put_yes(l, c->identity);
        put_word(l, c->generated_text.n ? "ALWAYS" : "NEVER");
        put_text(l, c->generated_text);
        put_text(l, c->comment);
        end_row(l);
    }
}

static const InformationColumn constraints_columns[MOST_COLUMNS] = {
    {"constraint_catalog", TYPE_TEXT}, {"constraint_schema", TYPE_TEXT}, {"constraint_name", TYPE_TEXT}, {"table_catalog", TYPE_TEXT}, {"table_schema", TYPE_TEXT},
    {"table_name", TYPE_TEXT}, {"constraint_type", TYPE_TEXT}, {"is_deferrable", TYPE_TEXT}, {"initially_deferred", TYPE_TEXT}};

static void list_constraints(Listing *l, const Table *t) {
    static const char *const kinds[] = {[TABLE_PRIMARY_KEY] = "PRIMARY KEY", [TABLE_UNIQUE] = "UNIQUE", [TABLE_CHECK] = "CHECK", [TABLE_FOREIGN_KEY] = "FOREIGN KEY"};
    for (int i = 0; i < t->constraints.n; i++) {
        const Constraint *c = &t->constraints.at[i];
        put_schema(l);
        put_text(l, c->name);
        put_schema(l);
        put_text(l, t->name);
        put_word(l, kinds[c->kind]);
        put_yes(l, c->deferrable);
        put_yes(l, c->initially_deferred);
        end_row(l);
    }
}

static const InformationColumn keys_columns[MOST_COLUMNS] = {
    {"constraint_catalog", TYPE_TEXT}, {"constraint_schema", TYPE_TEXT}, {"constraint_name", TYPE_TEXT}, {"table_catalog", TYPE_TEXT}, {"table_schema", TYPE_TEXT},
    {"table_name", TYPE_TEXT}, {"column_name", TYPE_TEXT}, {"ordinal_position", TYPE_INT4}};

static void list_keys(Listing *l, const Table *t) {
    for (int i = 0; i < t->constraints.n; i++) {
        const Constraint *c = &t->constraints.at[i];
        for (int k = 0; k < c->columns.n && c->kind != TABLE_CHECK; k++) {
            put_schema(l);
            put_text(l, c->name);
            put_schema(l);
            put_text(l, t->name);
            put_text(l, t->columns.at[c->columns.at[k]].name);
            put_number(l, k + 1);
            end_row(l);
        }
    }
}

static const struct { const char *name; const InformationColumn *columns; void (*list)(Listing *l, const Table *t); } listings[] = {
    {"information_schema.tables", tables_columns, list_table},
    {"information_schema.views", views_columns, list_view},
    {"information_schema.columns", columns_columns, list_columns},
    {"information_schema.table_constraints", constraints_columns, list_constraints},
    {"information_schema.key_column_usage", keys_columns, list_keys},
};

static int listing_of(Str name) {
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++)
        if (str_ieq(name, str_from(listings[i].name))) return (int)i;
    return -1;
}

bool resolve_is_information(Str name) { return listing_of(name) >= 0; }

void resolve_information(Resolver *r, Rel *rel, Str name) {
    int which = listing_of(name);
    for (const InformationColumn *c = listings[which].columns; c->name; c++) resolve_add_column(r, rel, str_from(c->name), type_of(c->type), true);
    Listing l = {.r = r, .rel = rel, .pos = rel->pos};
    for (int t = 0; t < r->catalog->tables.n; t++) listings[which].list(&l, r->catalog->tables.at[t]);
    r->out->reads_catalogue = true;
}
