/* client.c - connections to MongoDB: pools, sending, errors, cursors; everything outside of transactions. Contract: server.h.
 *
 * In: a URI and a database; command documents. Out: replies, cursors, sqm_error_t.
 *
 * One driver pool per process, URI and options, kept in a registry. Closing the last connection leaves the pool there (a web process that
 * reconnects for each request must not restart monitoring threads); only a few unused ones are kept. After fork() the child sees other process ids
 * in the registry and starts anew: the parent's pools are abandoned, neither used nor freed, because their threads don't exist in the child.
 *
 * Reads are plain commands whose first batch is read in place: measured 6-10 us less than mongoc_collection_find_with_opts() on a 160 us lookup, and the
 * documents handed out point into the reply. Writes carry our own txnNumber where MongoDB can retry them (libmongoc does that only for its bulk API),
 * and are sent once more after a network error or a change of primary.
 *
 * Nothing here knows SQL. Passwords: any message that could repeat a part of the URI goes through scrub(). */
#include "server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_POOLS = 4, IDLE_CHANNELS = 64, DEFAULT_LOCK_TIMEOUT_MS = 10000, DEFAULT_SELECTION_MS = 30000 };

void *new_aligned(size_t size) {
    void *p = aligned_alloc(_Alignof(bson_t), (size + _Alignof(bson_t) - 1) / _Alignof(bson_t) * _Alignof(bson_t));
    if (!p) abort();
    return memset(p, 0, size);
}

/* ---- the registry of pools ---- */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t driver_once = PTHREAD_ONCE_INIT;
static Pool *registry;

static void after_fork(void) {
    pthread_mutex_init(&registry_lock, NULL);       /* another thread of the parent may have held it */
    registry = NULL;
}

static void start_driver(void) {
    /* It warns on stderr about each aborted transaction; and about shared memory that it can't have, before mongoc_init() returns. Without a handler its
     * log takes no lock either, which a thread that fork() leaves behind might hold. */
    if (!getenv("SQM_DRIVER_LOG")) mongoc_log_set_handler(NULL, NULL);
    mongoc_init();
    pthread_atfork(NULL, NULL, after_fork);
}

/* The password as it stands in the URI, still percent-encoded. */
static char *written_password(const char *uri) {
    const char *begin = strstr(uri, "://");
    if (!begin) return NULL;
    begin += 3;
    size_t authority = strcspn(begin, "/?");
    const char *at = NULL, *colon = memchr(begin, ':', authority);
    for (size_t i = 0; i < authority; i++)
        if (begin[i] == '@') at = begin + i;
    return at && colon && colon < at ? bson_strndup(colon + 1, (size_t)(at - colon - 1)) : NULL;
}

static void scrub(const Pool *pool, char *message) {
    for (int i = 0; pool && i < 2; i++) {
        const char *secret = pool->secrets[i];
        size_t n = secret ? strlen(secret) : 0;
        if (n < 3) continue;        /* too short to be told from ordinary text */
        for (char *p = message; (p = strstr(p, secret));) memset(p, '*', n), p += n;
    }
}

static char *list_addresses(const mongoc_uri_t *uri) {
    bson_string_t *text = bson_string_new(NULL);
    const char *srv = mongoc_uri_get_srv_hostname(uri);
    if (srv) bson_string_append(text, srv);
    for (const mongoc_host_list_t *h = srv ? NULL : mongoc_uri_get_hosts(uri); h; h = h->next) {
        if (text->len) bson_string_append(text, ", ");
        bson_string_append(text, h->host_and_port);
    }
    return bson_string_free(text, false);
}

static void pool_free(Pool *p) {
    driver_enter();
    while (p->idle) {
        Channel *c = p->idle;
        p->idle = c->next;
        for (int i = 0; i < N_SESSIONS; i++) mongoc_client_session_destroy(c->sessions[i]), bson_destroy(&c->opts[i]);
        mongoc_client_pool_push(p->driver, c->client);
        free(c);
    }
    if (p->driver) mongoc_client_pool_destroy(p->driver);
    driver_leave();
    for (int i = 0; i < 2; i++)
        if (p->secrets[i]) bson_zero_free(p->secrets[i], strlen(p->secrets[i]));
    bson_zero_free(p->key, strlen(p->key));
    bson_free(p->addresses);
    bson_free(p->user);
    bson_free(p);
}

static Pool *pool_new(const char *key, const char *uri_text, const sqm_options_t *options, sqm_error_t *error) {
    Pool *p = bson_malloc0(sizeof *p);
    bson_error_t text = {0};
    p->key = bson_strdup(key);
    p->pid = getpid();
    p->secrets[0] = written_password(uri_text);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(uri_text, &text);
    if (!uri) {
        error_set(error, SQM_ERROR_INTERFACE, "invalid MongoDB URI: %s", text.message);
        goto fail;
    }
    p->secrets[1] = bson_strdup(mongoc_uri_get_password(uri));
    p->user = bson_strdup(mongoc_uri_get_username(uri));
    p->addresses = list_addresses(uri);
    if (options && options->server_selection_timeout_ms > 0)
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, options->server_selection_timeout_ms);
    if (options && options->connect_timeout_ms > 0) mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, options->connect_timeout_ms);
    p->selection_ms = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, DEFAULT_SELECTION_MS);
    p->connect_ms = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, MONGOC_DEFAULT_CONNECTTIMEOUTMS);
    if (!mongoc_write_concern_is_acknowledged(mongoc_uri_get_write_concern(uri))) {
        error_set(error, SQM_ERROR_INTERFACE, "write concern w=0 cannot be used: results of writes would be unknown");
        goto fail;
    }
    driver_enter();
    p->driver = mongoc_client_pool_new_with_error(uri, &text);
    driver_leave();
    if (!p->driver) {
        error_set(error, SQM_ERROR_CONNECTION, "could not use the MongoDB URI: %s", text.message);
        goto fail;
    }
    mongoc_client_pool_set_error_api(p->driver, MONGOC_ERROR_API_VERSION_2);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_MAXPOOLSIZE)) mongoc_client_pool_max_size(p->driver, 1 << 16);
    if (!mongoc_uri_get_appname(uri)) mongoc_client_pool_set_appname(p->driver, options && options->app_name ? options->app_name : "djongo");
    mongoc_uri_destroy(uri);
    return p;
fail:
    if (error) scrub(p, error->message);
    if (uri) mongoc_uri_destroy(uri);
    pool_free(p);
    return NULL;
}

static Pool *pool_take(const char *uri, const sqm_options_t *options, sqm_error_t *error) {
    char *key = bson_strdup_printf("%s\n%s\n%d\n%d", uri, options && options->app_name ? options->app_name : "", options ? options->connect_timeout_ms : 0,
                                   options ? options->server_selection_timeout_ms : 0);
    pthread_once(&driver_once, start_driver);
    pthread_mutex_lock(&registry_lock);
    if (registry && registry->pid != getpid()) registry = NULL;     /* a child made without running the fork handlers */
    Pool *p = registry;
    while (p && strcmp(p->key, key) != 0) p = p->next;
    if (!p && (p = pool_new(key, uri, options, error))) {
        p->next = registry;
        registry = p;
    }
    if (p) p->references++;
    pthread_mutex_unlock(&registry_lock);
    bson_zero_free(key, strlen(key));
    return p;
}

static void pool_release(Pool *p) {
    Pool *drop = NULL;
    pthread_mutex_lock(&registry_lock);
    if (--p->references == 0) {
        int unused = 0;
        for (Pool **at = &registry; *at; at = &(*at)->next)
            if ((*at)->references == 0 && ++unused > IDLE_POOLS) {
                drop = *at;             /* the one unused for longest stands last */
                *at = drop->next;
                break;
            }
    }
    pthread_mutex_unlock(&registry_lock);
    if (drop) pool_free(drop);
}

static Channel *channel_new(Pool *p, sqm_error_t *error) {
    Channel *c = new_aligned(sizeof *c);
    bson_oid_t seed;
    bson_oid_init(&seed, NULL);
    c->lane = (uint32_t)(hash_bytes(&seed, sizeof seed, 0) >> 32);
    c->client = mongoc_client_pool_pop(p->driver);
    if (!c->client) {
        error_set(error, SQM_ERROR_CONNECTION, "no connection to MongoDB at %s became free in time: maxPoolSize are in use", p->addresses);
        free(c);
        return NULL;
    }
    /* Write concerns are added by us, command by command: a transaction's commands must not have one. */
    mongoc_write_concern_t *none = mongoc_write_concern_new();
    mongoc_client_set_write_concern(c->client, none);
    mongoc_write_concern_destroy(none);
    mongoc_session_opt_t *opts = mongoc_session_opts_new();
    for (int i = 0; i < N_SESSIONS; i++) {
        bson_error_t text;
        bson_init(&c->opts[i]);
        mongoc_session_opts_set_causal_consistency(opts, i == SESSION_PLAIN);
        c->sessions[i] = mongoc_client_start_session(c->client, opts, &text);
        if (c->sessions[i]) {
            mongoc_client_session_append(c->sessions[i], &c->opts[i], NULL);
            continue;
        }
        Failure failure = {.domain = (int)text.domain, .code = (int)text.code, .text = text};
        server_report(&(Server){.pool = p}, &failure, NULL, NULL, error);
        for (int j = 0; j <= i; j++) {
            if (c->sessions[j]) mongoc_client_session_destroy(c->sessions[j]);
            bson_destroy(&c->opts[j]);
        }
        mongoc_client_pool_push(p->driver, c->client);
        free(c);
        c = NULL;
        break;
    }
    mongoc_session_opts_destroy(opts);
    return c;
}

static Channel *channel_take(Pool *p, sqm_error_t *error) {
    pthread_mutex_lock(&registry_lock);
    Channel *c = p->idle;
    if (c) p->idle = c->next, p->n_idle--;
    pthread_mutex_unlock(&registry_lock);
    if (c) return c;
    driver_enter();
    c = channel_new(p, error);
    driver_leave();
    return c;
}

static void channel_release(Pool *p, Channel *c) {
    pthread_mutex_lock(&registry_lock);
    bool keep = p->n_idle < IDLE_CHANNELS;
    if (keep) c->next = p->idle, p->idle = c, p->n_idle++;
    pthread_mutex_unlock(&registry_lock);
    if (keep) return;
    driver_enter();
    for (int i = 0; i < N_SESSIONS; i++) mongoc_client_session_destroy(c->sessions[i]), bson_destroy(&c->opts[i]);
    mongoc_client_pool_push(p->driver, c->client);
    driver_leave();
    free(c);
}

/* ---- errors ---- */

static const bson_value_t *find_value(const bson_t *doc, const char *path) {
    bson_iter_t it, found;
    if (doc && bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, &found)) return bson_iter_value(&found);
    return NULL;
}

static bool find_document(const bson_t *doc, const char *path, bson_t *out) {
    bson_iter_t it, found;
    const uint8_t *data;
    uint32_t length;
    if (!doc || !bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, path, &found)) return false;
    if (BSON_ITER_HOLDS_DOCUMENT(&found)) bson_iter_document(&found, &length, &data);
    else if (BSON_ITER_HOLDS_ARRAY(&found)) bson_iter_array(&found, &length, &data);
    else return false;
    return bson_init_static(out, data, length);
}

static void add_value(bson_string_t *out, const bson_iter_t *it) {
    size_t before = out->len;
    if (BSON_ITER_HOLDS_UTF8(it)) bson_string_append(out, bson_iter_utf8(it, NULL));
    else if (BSON_ITER_HOLDS_NULL(it)) bson_string_append(out, "null");
    else if (BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it)) bson_string_append_printf(out, "%" PRId64, bson_iter_as_int64(it));
    else if (BSON_ITER_HOLDS_OID(it)) {
        char hex[25];
        bson_oid_to_string(bson_iter_oid(it), hex);
        bson_string_append(out, hex);
    } else {
        bson_t one = BSON_INITIALIZER;
        bson_append_iter(&one, "", 0, it);
        char *json = bson_as_relaxed_extended_json(&one, NULL);      /* { "" : value } */
        size_t n = strlen(json);
        if (n > 9) bson_string_append_printf(out, "%.*s", (int)(n - 9), json + 7);
        bson_free(json);
        bson_destroy(&one);
    }
    if (out->len - before > 100) bson_string_truncate(out, (uint32_t)before + 100), bson_string_append(out, "...");
}

/* E11000 duplicate key error collection: db.book index: book_name_key dup key: { name: "x" } */
static void report_duplicate(sqm_error_t *error, const char *message, const bson_t *reply) {
    const char *ns = strstr(message, "collection: "), *index = strstr(message, "index: ");
    char collection[128] = "", name[192] = "";
    if (ns) {
        ns += strlen("collection: ");
        size_t n = strcspn(ns, " "), dot = strcspn(ns, ".");
        if (dot < n) snprintf(collection, sizeof collection, "%.*s", (int)(n - dot - 1), ns + dot + 1);
    }
    if (index) {
        index += strlen("index: ");
        const char *end = strstr(index, " dup key"), *collation = strstr(index, " collation: ");
        if (collation && (!end || collation < end)) end = collation;
        snprintf(name, sizeof name, "%.*s", end ? (int)(end - index) : (int)strlen(index), index);
    }
    if (strcmp(name, "_id_") == 0) snprintf(name, sizeof name, "%s_pkey", collection);
    bson_string_t *keys = bson_string_new(NULL), *values = bson_string_new(NULL);
    bson_t key;
    bson_iter_t it;
    if ((find_document(reply, "writeErrors.0.keyValue", &key) || find_document(reply, "keyValue", &key)) && bson_iter_init(&it, &key))
        while (bson_iter_next(&it)) {
            bson_string_append_printf(keys, "%s%s", keys->len ? ", " : "", bson_iter_key(&it));
            if (values->len) bson_string_append(values, ", ");
            add_value(values, &it);
        }
    error_set(error, SQM_ERROR_UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"%s\": key (%s)=(%s) already exists", name, keys->str, values->str);
    bson_string_free(keys, true);
    bson_string_free(values, true);
}

/* A validator is {$and: [check, check, ...]} in catalogue order: the number of the first one that fails, from 1; 0 when it can't be told. */
static int failed_check(const bson_t *reply) {
    static const char *const paths[] = {"writeErrors.0.errInfo.details.clausesNotSatisfied.0.index", "errInfo.details.clausesNotSatisfied.0.index"};
    for (int i = 0; i < 2; i++) {
        const bson_value_t *v = find_value(reply, paths[i]);
        if (v && v->value_type == BSON_TYPE_INT32) return v->value.v_int32 + 1;
    }
    return 0;
}

static sqm_error_code_t map_code(int code, const char *message) {
    switch (code) {
    case 11000: case 11001: case 12582: return SQM_ERROR_UNIQUE_VIOLATION;
    case 121: return SQM_ERROR_CHECK_VIOLATION;
    case 13: case 18: case 8000: case 31: return SQM_ERROR_AUTHENTICATION;
    case 112: case 251: case 225: case 290: case 246: case 239: case 267: return SQM_ERROR_SERIALIZATION_FAILURE;
    case 24: case 46: return SQM_ERROR_LOCK_NOT_AVAILABLE;
    case 50: case 262: case 11601: return SQM_ERROR_CANCELED;
    case 43: case 237: return SQM_ERROR_INVALID_CURSOR_STATE;
    case 10334: case 17280: case 17419: case 17420: case 10003: return SQM_ERROR_DOCUMENT_TOO_LARGE;
    case 146: case 292: case 16819: case 16945: return SQM_ERROR_OUT_OF_MEMORY;
    case 26: return SQM_ERROR_UNDEFINED_TABLE;
    case 48: return SQM_ERROR_DUPLICATE_TABLE;
    case 27: return SQM_ERROR_UNDEFINED_OBJECT;
    case 68: case 85: case 86: return SQM_ERROR_DUPLICATE_OBJECT;
    case 51091: return SQM_ERROR_INVALID_REGEX;
    case 241: return strstr(message, "overflow") ? SQM_ERROR_NUMERIC_OUT_OF_RANGE : SQM_ERROR_INVALID_TEXT;
    case 40400: return SQM_ERROR_INVALID_ARGUMENT;      /* an UPDATE assigns to a field of what is no object */
    case 28664: case 28651: case 16883: return SQM_ERROR_DATATYPE_MISMATCH;      /* or changes an array that is none */
    case 16608: case 4848401: return SQM_ERROR_DIVISION_BY_ZERO;
    case 115: case 166: case 235: case 238: case 303: return SQM_ERROR_NOT_SUPPORTED;
    case 6: case 7: case 89: case 91: case 189: case 9001: case 10107: case 10058: case 11600: case 11602: case 13435: case 13436: return SQM_ERROR_CONNECTION;
    default: break;
    }
    if (strstr(message, "divide by zero")) return SQM_ERROR_DIVISION_BY_ZERO;
    if (strstr(message, "transaction is too large")) return SQM_ERROR_OUT_OF_MEMORY;   /* for the storage engine's cache */
    if (code == 20 && strstr(message, "Transaction numbers")) return SQM_ERROR_NOT_SUPPORTED;
    return SQM_ERROR_SERVER;
}

void server_error(sqm_error_t *error, int domain, int mongo_code, const char *message, const bson_t *reply) {
    if (domain == MONGOC_ERROR_SERVER_SELECTION || domain == MONGOC_ERROR_STREAM || domain == MONGOC_ERROR_POOL) {
        error_set(error, SQM_ERROR_CONNECTION, "connection to MongoDB failed: %s", message);
        return;
    }
    if (domain == MONGOC_ERROR_CLIENT && mongo_code == MONGOC_ERROR_CLIENT_AUTHENTICATE) {
        error_set(error, SQM_ERROR_AUTHENTICATION, "authentication failed: %s", message);
        return;
    }
    if (domain != MONGOC_ERROR_SERVER && domain != MONGOC_ERROR_WRITE_CONCERN) {
        error_set(error, domain == MONGOC_ERROR_PROTOCOL || domain == MONGOC_ERROR_SCRAM || domain == MONGOC_ERROR_SASL ? SQM_ERROR_CONNECTION
                         : domain == MONGOC_ERROR_BSON ? SQM_ERROR_DOCUMENT_TOO_LARGE : SQM_ERROR_SERVER, "%s", message);
        return;
    }
    sqm_error_code_t code = map_code(mongo_code, message);
    if (code == SQM_ERROR_UNIQUE_VIOLATION) report_duplicate(error, message, reply);
    else if (code == SQM_ERROR_CHECK_VIOLATION) {
        int number = failed_check(reply);
        if (number) error_set(error, code, "row violates check constraint number %d", number);
        else error_set(error, code, "row violates a check constraint");
    } else error_set(error, code, "%s", message);
    if (error) error->mongo_code = mongo_code;
}

const char *command_collection(const bson_t *command) {
    bson_iter_t it;
    if (command && bson_iter_init(&it, command) && bson_iter_next(&it) && BSON_ITER_HOLDS_UTF8(&it)) return bson_iter_utf8(&it, NULL);
    return NULL;
}

bool server_report(const Server *s, const Failure *failure, const bson_t *command, const bson_t *reply, sqm_error_t *error) {
    if (!error) return false;
    const char *text = failure->text.message, *collection = command_collection(command);
    server_error(error, failure->domain, failure->code, text, reply);
    if (failure->domain == MONGOC_ERROR_SERVER_SELECTION)
        error_set(error, SQM_ERROR_CONNECTION, "could not connect to MongoDB at %s within %d ms: %s", s->pool->addresses, s->pool->selection_ms, text);
    else if (failure->domain == MONGOC_ERROR_STREAM)
        error_set(error, SQM_ERROR_CONNECTION, "connection to MongoDB at %s failed: %s", s->pool->addresses, text);
    else if (error->code == SQM_ERROR_AUTHENTICATION && s->pool->user)
        snprintf(error->hint, sizeof error->hint, "The user name was \"%.100s\", the server %.100s.", s->pool->user, s->pool->addresses);
    else if (error->code == SQM_ERROR_CHECK_VIOLATION && collection) {
        int number = failed_check(reply);
        if (number) error_set(error, error->code, "row for relation \"%s\" violates check constraint number %d", collection, number);
        else error_set(error, error->code, "row for relation \"%s\" violates a check constraint", collection);
        error->mongo_code = failure->code;
    }
    scrub(s->pool, error->message);
    return false;
}

/* ---- sending ---- */

Stamp reply_time(const bson_t *reply) {
    bson_iter_t it;
    Stamp t = {0, 0};
    if (bson_iter_init_find(&it, reply, "operationTime") && BSON_ITER_HOLDS_TIMESTAMP(&it)) bson_iter_timestamp(&it, &t.seconds, &t.ordinal);
    return t;
}

static bool has_label(const bson_t *reply, const char *label) {
    bson_t labels;
    bson_iter_t it;
    if (!find_document(reply, "errorLabels", &labels) || !bson_iter_init(&it, &labels)) return false;
    while (bson_iter_next(&it))
        if (BSON_ITER_HOLDS_UTF8(&it) && strcmp(bson_iter_utf8(&it, NULL), label) == 0) return true;
    return false;
}

static bool retryable_code(int code) {
    switch (code) {
    case 6: case 7: case 89: case 91: case 134: case 189: case 262: case 9001: case 10058: case 10107: case 11600: case 11602: case 13435: case 13436: return true;
    default: return false;
    }
}

/* An error that a reply with ok: 1 hides. */
static bool hidden_error(const bson_t *reply, Failure *f) {
    static const char *const fields[] = {"writeErrors.0", "writeConcernError"};
    bson_iter_t it;
    for (int i = 0; i < 2; i++) {
        bson_t inner;
        if (!bson_iter_init_find(&it, reply, i == 0 ? "writeErrors" : "writeConcernError") || !find_document(reply, fields[i], &inner)) continue;
        f->domain = MONGOC_ERROR_SERVER;
        if (bson_iter_init_find(&it, &inner, "code")) f->code = (int)bson_iter_as_int64(&it);
        snprintf(f->text.message, sizeof f->text.message, "%s", bson_iter_init_find(&it, &inner, "errmsg") ? bson_iter_utf8(&it, NULL) : "write failed");
        return true;
    }
    return false;
}

bool server_send(Server *s, const char *database, const bson_t *command, const bson_t *opts, SendMode mode, bson_t *reply, Failure *failure) {
    Failure f = {0};
    s->round_trips++;
    driver_enter();
    bool ok = mode == SEND_READ ? mongoc_client_read_command_with_opts(s->channel->client, database, command, NULL, opts, reply, &f.text)
                                : mongoc_client_command_with_opts(s->channel->client, database, command, NULL, opts, reply, &f.text);
    driver_leave();
    if (!ok) {
        f.domain = (int)f.text.domain;
        f.code = (int)f.text.code;
        if (f.domain == MONGOC_ERROR_WRITE_CONCERN) f.domain = MONGOC_ERROR_SERVER;
        f.network = f.domain == MONGOC_ERROR_STREAM || f.domain == MONGOC_ERROR_SERVER_SELECTION || f.domain == MONGOC_ERROR_PROTOCOL;
    } else if (hidden_error(reply, &f)) {
        ok = false;
    }
    if (!ok) {
        f.transient = has_label(reply, "TransientTransactionError");
        f.unknown_commit = has_label(reply, "UnknownTransactionCommitResult");
        f.retryable = f.domain == MONGOC_ERROR_STREAM || has_label(reply, "RetryableWriteError") || (f.domain == MONGOC_ERROR_SERVER && retryable_code(f.code));
    }
    *failure = f;
    return ok;
}

/* A write that MongoDB can run at most once however often it is sent: no update or delete of many documents. */
static bool is_retryable(const bson_t *command) {
    bson_iter_t it, items, one;
    if (!bson_iter_init(&it, command) || !bson_iter_next(&it)) return false;
    const char *name = bson_iter_key(&it);
    if (strcmp(name, "insert") == 0 || strcmp(name, "findAndModify") == 0) return true;
    bool update = strcmp(name, "update") == 0;
    if (!update && strcmp(name, "delete") != 0) return false;
    if (!bson_iter_init_find(&it, command, update ? "updates" : "deletes") || !bson_iter_recurse(&it, &items)) return false;
    while (bson_iter_next(&items)) {
        if (!bson_iter_recurse(&items, &one)) return false;
        if (bson_iter_find(&one, update ? "multi" : "limit")) {
            if (update ? bson_iter_as_bool(&one) : bson_iter_as_int64(&one) == 0) return false;
        } else if (!update) {
            return false;
        }
    }
    return true;
}

bool server_write_alone(Server *s, const char *database, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    bool numbered = s->retry_writes && is_retryable(command), resent = false, own_concern = bson_has_field(command, "writeConcern");
    int64_t deadline = 0;
    for (int attempt = 0;; attempt++) {
        bson_t opts;
        bson_copy_to(&s->channel->opts[SESSION_PLAIN], &opts);
        if (s->write_concern && !own_concern) BSON_APPEND_DOCUMENT(&opts, "writeConcern", s->write_concern);
        if (numbered) BSON_APPEND_INT64(&opts, "txnNumber", resent ? s->channel->write_number : ++s->channel->write_number);
        Failure failure;
        bool ok = server_send(s, database, command, &opts, SEND_RAW, reply, &failure);
        bson_destroy(&opts);
        if (ok) return true;
        if (numbered && !resent && failure.retryable) {
            resent = true;
        } else if (failure.domain == MONGOC_ERROR_SERVER && (failure.code == 112 || failure.code == 24)) {
            if (!deadline) deadline = clock_ms() + s->lock_timeout_ms;
            if (clock_ms() >= deadline) {
                error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "could not write to \"%s\" within %d ms: other transactions are changing it", command_collection(command), s->lock_timeout_ms);
                return false;
            }
            pause_ms(attempt < 5 ? 1 << attempt : 30);
            resent = false;
        } else {
            return server_report(s, &failure, command, reply, error);
        }
        bson_destroy(reply);
    }
}

/* ---- opening and closing ---- */

/* What every connection of a pool needs to know about its server; asked once. */
static bool learn(Server *s, sqm_error_t *error) {
    Pool *p = s->pool;
    pthread_mutex_lock(&registry_lock);
    bool known = p->known;
    pthread_mutex_unlock(&registry_lock);
    if (known) return true;
    bool ok = false;
    Failure failure;
    bson_iter_t it, at;
    bson_t reply, build, *hello = BCON_NEW("hello", BCON_INT32(1)), *info = BCON_NEW("buildInfo", BCON_INT32(1));
    bson_init(&build);
    if (!server_send(s, "admin", hello, NULL, SEND_RAW, &reply, &failure) && failure.domain == MONGOC_ERROR_SERVER && failure.code == 59) {
        bson_destroy(&reply);
        bson_destroy(hello);
        hello = BCON_NEW("isMaster", BCON_INT32(1));
        server_send(s, "admin", hello, NULL, SEND_RAW, &reply, &failure);
    }
    if (failure.domain) {
        server_report(s, &failure, NULL, &reply, error);
        goto done;
    }
    bson_destroy(&build);
    if (!server_send(s, "admin", info, NULL, SEND_RAW, &build, &failure)) {
        server_report(s, &failure, NULL, &build, error);
        goto done;
    }
    int version = 0;
    if (bson_iter_init_find(&it, &build, "versionArray") && bson_iter_recurse(&it, &at))
        for (int i = 0, weight = 1000000; i < 3 && bson_iter_next(&at); i++, weight /= 1000) version += weight * (int)bson_iter_as_int64(&at);
    pthread_mutex_lock(&registry_lock);
    p->version = version;
    p->mongos = bson_iter_init_find(&it, &reply, "msg") && BSON_ITER_HOLDS_UTF8(&it) && strcmp(bson_iter_utf8(&it, NULL), "isdbgrid") == 0;
    p->transactions = p->mongos || bson_has_field(&reply, "setName");
    p->known = true;
    pthread_mutex_unlock(&registry_lock);
    ok = true;
done:
    bson_destroy(&reply);
    bson_destroy(&build);
    bson_destroy(hello);
    bson_destroy(info);
    return ok;
}

bool server_open(const char *uri, const char *database, const sqm_options_t *options, Server **out, sqm_error_t *error) {
    if (!uri || !*uri) return error_set(error, SQM_ERROR_INTERFACE, "no MongoDB URI was given");
    if (!database || !*database) return error_set(error, SQM_ERROR_INTERFACE, "no database name was given");
    if (strlen(database) > 63 || strpbrk(database, "/\\. \"$")) return error_set(error, SQM_ERROR_INTERFACE, "invalid database name \"%.80s\"", database);
    Server *s = bson_malloc0(sizeof *s);
    s->pid = getpid();
    s->database = bson_strdup(database);
    s->default_lock_timeout_ms = s->lock_timeout_ms = options && options->lock_timeout_ms > 0 ? options->lock_timeout_ms : DEFAULT_LOCK_TIMEOUT_MS;
    s->pool = pool_take(uri, options, error);
    if (!s->pool || !(s->channel = channel_take(s->pool, error)) || !learn(s, error)) {
        server_close(s);
        return false;
    }
    const mongoc_uri_t *parsed = mongoc_client_get_uri(s->channel->client);
    const mongoc_write_concern_t *concern = mongoc_uri_get_write_concern(parsed);
    if (!mongoc_write_concern_is_default(concern)) {
        bson_t holder = BSON_INITIALIZER, inner;
        mongoc_write_concern_append((mongoc_write_concern_t *)concern, &holder);
        if (find_document(&holder, "writeConcern", &inner)) s->write_concern = bson_copy(&inner);
        bson_destroy(&holder);
    }
    bool secondary_reads = mongoc_read_prefs_get_mode(mongoc_uri_get_read_prefs_t(parsed)) != MONGOC_READ_PRIMARY;
    s->weak_snapshot = secondary_reads || (s->write_concern && !mongoc_write_concern_get_wmajority(concern));
    s->pin_reads = secondary_reads || s->pool->mongos;
    s->retry_writes = s->pool->transactions && mongoc_uri_get_option_as_bool(parsed, MONGOC_URI_RETRYWRITES, true);
    mongoc_read_concern_t *none = mongoc_read_concern_new();
    mongoc_write_concern_t *majority = s->write_concern ? mongoc_write_concern_copy(concern) : mongoc_write_concern_new();
    if (!s->write_concern) mongoc_write_concern_set_w(majority, MONGOC_WRITE_CONCERN_W_MAJORITY);
    s->transaction_opts = mongoc_transaction_opts_new();
    mongoc_transaction_opts_set_read_concern(s->transaction_opts, none);      /* each first command brings its own: see transaction.c */
    mongoc_transaction_opts_set_write_concern(s->transaction_opts, majority);
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_transaction_opts_set_read_prefs(s->transaction_opts, primary);
    mongoc_read_prefs_destroy(primary);
    mongoc_read_concern_destroy(none);
    mongoc_write_concern_destroy(majority);
    *out = s;
    return true;
}

Server *server_sibling(const Server *of, sqm_error_t *error) {
    Server *s = bson_malloc0(sizeof *s);
    s->pid = getpid();
    s->database = bson_strdup(of->database);
    s->default_lock_timeout_ms = s->lock_timeout_ms = of->default_lock_timeout_ms;
    s->pool = of->pool;
    s->write_concern = of->write_concern ? bson_copy(of->write_concern) : NULL;
    s->retry_writes = of->retry_writes;
    s->transaction_opts = mongoc_transaction_opts_clone(of->transaction_opts);
    pthread_mutex_lock(&registry_lock);
    s->pool->references++;
    pthread_mutex_unlock(&registry_lock);
    if ((s->channel = channel_take(s->pool, error))) return s;
    server_close(s);
    return NULL;
}

void server_close(Server *s) {
    if (!s) return;
    bool forked = server_forked(s);
    while (s->cursors) {                    /* their owners free them; what is not fetched by now is lost */
        ServerCursor *c = s->cursors;
        s->cursors = c->next;
        c->previous = c->next = NULL;
        c->lost = true;
        c->id = 0;
        c->server = NULL;
    }
    if (!forked && s->channel) {
        if (s->live) session_abort(s->channel->sessions[SESSION_TRANSACTION]);
        channel_release(s->pool, s->channel);
    }
    if (!forked && s->pool) pool_release(s->pool);
    s->live = false;
    transaction_clear(s);
    if (s->transaction_opts) mongoc_transaction_opts_destroy(s->transaction_opts);
    if (s->write_concern) bson_destroy(s->write_concern);
    if (s->blocked) bson_destroy(s->blocked);
    for (int i = 0; i < s->held_n; i++) bson_free(s->held[i]);
    bson_free(s->held);
    bson_free(s->journal);
    bson_free(s->savepoints);
    bson_free(s->database);
    bson_free(s);
}

bool server_forked(const Server *s) { return s->pid != getpid(); }
int server_version(const Server *s) { return s->pool->version; }
uint32_t server_lane(const Server *s) { return s->channel->lane; }
void server_change_lane(Server *s) { s->channel->lane = (uint32_t)(hash_bytes(&s->channel->lane, sizeof s->channel->lane, 0) >> 32); }
bool server_has_transactions(const Server *s) { return s->pool->transactions; }
const char *server_database(const Server *s) { return s->database; }
uint64_t server_identity(const Server *s) { return hash_bytes(s->database, strlen(s->database), hash_bytes(s->pool->key, strlen(s->pool->key), 0)); }
void server_guard(Server *s, ServerRenew renew, void *context, const _Atomic int64_t *until) {
    s->renew = renew;
    s->renew_context = context;
    s->until = until;
}

bool server_writing(const Server *s) { return s->writing; }

bool server_still_valid(Server *s, sqm_error_t *error) {
    if (!s->renew || s->renewing || clock_ms() < *s->until) return true;
    int64_t trips = s->round_trips;     /* a renewal is nobody's: it happens once in a while, whatever is asked */
    s->renewing = true;
    bool ok = s->renew(s->renew_context, error);
    s->renewing = false;
    s->round_trips = trips;
    return ok;
}
int64_t server_round_trips(const Server *s) { return s->round_trips; }

bool server_check(Server *s, sqm_error_t *error) {
    if (server_forked(s)) return error_set(error, SQM_ERROR_INTERFACE, "this connection was opened before fork() and cannot be used in the child process: open another one");
    if (s->failed) return error_set(error, SQM_ERROR_IN_FAILED_TRANSACTION, "current transaction is aborted, commands ignored until end of transaction block");
    return true;
}

bool server_ping(Server *s, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    bson_t reply, *ping = BCON_NEW("ping", BCON_INT32(1));
    Failure failure;
    bool ok = server_send(s, "admin", ping, NULL, SEND_RAW, &reply, &failure) || server_report(s, &failure, NULL, &reply, error);
    bson_destroy(&reply);
    bson_destroy(ping);
    return ok;
}

/* ---- commands outside of transactions ---- */

static bool is_write(const char *name) {
    static const char *const names[] = {"insert", "update", "delete", "findAndModify"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool takes_write_concern(const char *name) {
    static const char *const names[] = {"create", "createIndexes", "drop", "dropDatabase", "dropIndexes", "collMod", "renameCollection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* Catalogue commands take an instant once they have their lock, and wait for it as long as a transaction of somebody else's is open: not for ever, then. */
static bool waits_for_lock(const char *name) {
    static const char *const names[] = {"drop", "renameCollection", "dropIndexes", "collMod", "create"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

bool server_command(Server *s, const bson_t *command, bool admin_db, bool suspend, bson_t *reply, sqm_error_t *error) {
    bson_init(reply);
    if (server_forked(s)) return server_check(s, error);
    if (suspend) transaction_suspend(s);
    bson_destroy(reply);
    const char *database = admin_db ? "admin" : s->database, *name = "";
    bson_iter_t it;
    if (bson_iter_init(&it, command) && bson_iter_next(&it)) name = bson_iter_key(&it);
    if (is_write(name)) return server_write_alone(s, database, command, reply, error);
    bson_t opts;
    Failure failure;
    bson_copy_to(&s->channel->opts[SESSION_PLAIN], &opts);
    if (s->write_concern && takes_write_concern(name) && !bson_has_field(command, "writeConcern")) BSON_APPEND_DOCUMENT(&opts, "writeConcern", s->write_concern);
    bool bounded = waits_for_lock(name);
    int limit = s->lock_timeout_ms > 0 ? s->lock_timeout_ms : 1;
    if (bounded) BSON_APPEND_INT32(&opts, "maxTimeMS", limit);
    bool ok = server_send(s, database, command, &opts, SEND_RAW, reply, &failure) || server_report(s, &failure, command, reply, error);
    if (!ok && bounded && error && error->mongo_code == 50) {
        error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "could not lock \"%s\" within %d ms: a transaction of another connection uses it", command_collection(command), limit);
        error->mongo_code = 50;
    }
    bson_destroy(&opts);
    return ok;
}

bool server_drop_database(Server *s, Str name, sqm_error_t *error) {
    char database[64];
    if (server_forked(s)) return server_check(s, error);
    if (name.n == 0 || name.n >= sizeof database) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "invalid database name \"" STR_FMT "\"", STR_ARG(name));
    memcpy(database, name.p, name.n);
    database[name.n] = '\0';
    if (strcmp(database, s->database) == 0) transaction_suspend(s);
    bson_t reply, opts, *drop = BCON_NEW("dropDatabase", BCON_INT32(1));
    Failure failure;
    bson_copy_to(&s->channel->opts[SESSION_PLAIN], &opts);
    if (s->write_concern) BSON_APPEND_DOCUMENT(&opts, "writeConcern", s->write_concern);
    bool ok = server_send(s, database, drop, &opts, SEND_RAW, &reply, &failure) || server_report(s, &failure, NULL, &reply, error);
    bson_destroy(&opts);
    bson_destroy(&reply);
    bson_destroy(drop);
    return ok;
}

bool server_command_read(Server *s, const bson_t *command, ServerCursor **out, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    bson_t reply;
    Failure failure;
    for (int attempt = 0;; attempt++) {
        if (server_send(s, s->database, command, &s->channel->opts[SESSION_PLAIN], SEND_RAW, &reply, &failure)) break;
        bool again = attempt == 0 && failure.retryable;     /* as the driver does with the reads it knows of */
        if (!again) server_report(s, &failure, command, &reply, error);
        bson_destroy(&reply);
        if (!again) return false;
    }
    *out = cursor_open(s, &reply, 0, error);
    return *out != NULL;
}

/* ---- reads ---- */

bool server_view_open(Server *s, ServerView **out, sqm_error_t *error) {
    if (!server_check(s, error)) return false;
    ServerView *v = bson_malloc0(sizeof *v);
    v->in_transaction = transaction_reads_inside(s);
    *out = v;
    return true;
}

void server_view_close(ServerView *v) { bson_free(v); }

/* Where a read goes when several servers could answer: its getMores have to follow it. */
static bool pin(Server *s, bson_t *opts, uint32_t *server_id, Failure *failure) {
    driver_enter();
    mongoc_server_description_t *d = mongoc_client_select_server(s->channel->client, false, mongoc_uri_get_read_prefs_t(mongoc_client_get_uri(s->channel->client)), &failure->text);
    driver_leave();
    if (!d) {
        failure->domain = (int)failure->text.domain;
        failure->code = (int)failure->text.code;
        return false;
    }
    *server_id = mongoc_server_description_id(d);
    BSON_APPEND_INT32(opts, "serverId", (int32_t)*server_id);
    mongoc_server_description_destroy(d);
    return true;
}

static void append_snapshot(bson_t *opts, Stamp time) {
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(opts, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", "snapshot");
    if (time.seconds) BSON_APPEND_TIMESTAMP(&concern, "atClusterTime", time.seconds, time.ordinal);
    bson_append_document_end(opts, &concern);
}

enum { SNAPSHOT_ATTEMPTS = 40, SNAPSHOT_PAUSE_MS = 25 };

bool server_read(Server *s, ServerView *view, const bson_t *command, ServerCursor **out, sqm_error_t *error) {
    if (!server_check(s, error)) return false;
    bson_t reply;
    if (view ? view->in_transaction : transaction_reads_inside(s)) {
        if (!transaction_read(s, view, command, &reply, error)) {
            bson_destroy(&reply);
            return false;
        }
        *out = cursor_open(s, &reply, 0, error);
        if (*out) (*out)->session = SESSION_TRANSACTION, (*out)->generation = s->generation;
        return *out != NULL;
    }
    bool snapshot = view && s->pool->transactions && s->pool->version >= 5000000;
    SessionKind session = snapshot ? SESSION_SNAPSHOT : SESSION_PLAIN;
    const bson_t *opts = &s->channel->opts[session];
    for (int attempt = 1;; attempt++) {
        bson_t own;
        uint32_t server_id = 0;
        Failure failure = {0};
        bool ready = true, special = snapshot || s->pin_reads;
        if (special) {
            bson_copy_to(&s->channel->opts[session], &own);
            opts = &own;
            if (s->pin_reads) ready = pin(s, &own, &server_id, &failure);
            Stamp time = {0, 0};
            if (snapshot && (view->used || s->weak_snapshot)) {
                time = view->time;
                if (!view->used) mongoc_client_session_get_operation_time(s->channel->sessions[SESSION_PLAIN], &time.seconds, &time.ordinal);
            }
            if (snapshot) append_snapshot(&own, time);
        }
        bool ok = ready && server_send(s, s->database, command, opts, SEND_READ, &reply, &failure);
        if (special) bson_destroy(&own);
        if (!ready) bson_init(&reply);
        if (ok && !(snapshot && view->used) && !server_still_valid(s, error)) {
            bson_destroy(&reply);
            if (s->open) s->failed = true;
            return false;
        }
        if (ok) {
            if (snapshot && !view->used) {
                const bson_value_t *at = find_value(&reply, "cursor.atClusterTime");
                if (at && at->value_type == BSON_TYPE_TIMESTAMP) view->time = (Stamp){at->value.v_timestamp.timestamp, at->value.v_timestamp.increment};
                view->used = true;
            }
            *out = cursor_open(s, &reply, server_id, error);
            if (*out) (*out)->session = session, (*out)->guarded = true;
            return *out != NULL;
        }
        /* 246: the collection was changed (created, indexed) after the snapshot that the server proposes; it soon has a newer one. */
        if (!(snapshot && !view->used && failure.code == 246 && attempt < SNAPSHOT_ATTEMPTS)) {
            server_report(s, &failure, command, &reply, error);
            bson_destroy(&reply);
            if (s->open) s->failed = true;
            return false;
        }
        bson_destroy(&reply);
        pause_ms(SNAPSHOT_PAUSE_MS);
    }
}

/* ---- cursors ---- */

static void link_cursor(ServerCursor *c) {
    c->next = c->server->cursors;
    if (c->next) c->next->previous = c;
    c->server->cursors = c;
}

/* Its cursor on the server is gone or used up. */
static void unlink_cursor(ServerCursor *c) {
    c->id = 0;
    if (!c->server) return;
    if (c->previous) c->previous->next = c->next;
    else if (c->server->cursors == c) c->server->cursors = c->next;
    if (c->next) c->next->previous = c->previous;
    c->previous = c->next = NULL;
}

static void batch_free(Batch *b) {
    bson_destroy(&b->reply);
    free(b);
}

/* Takes the reply over. False when it has no batch. */
static Batch *batch_new(bson_t *reply, bson_iter_t *documents, int64_t *id, const char **ns) {
    Batch *b = new_aligned(sizeof *b);
    bson_iter_t it, inner;
    bool found = false;
    bson_steal(&b->reply, reply);
    if (bson_iter_init_find(&it, &b->reply, "cursor") && bson_iter_recurse(&it, &inner))
        while (bson_iter_next(&inner)) {
            const char *key = bson_iter_key(&inner);
            if (strcmp(key, "firstBatch") == 0 || strcmp(key, "nextBatch") == 0) found = bson_iter_recurse(&inner, documents);
            else if (strcmp(key, "id") == 0) *id = bson_iter_as_int64(&inner);
            else if (strcmp(key, "ns") == 0 && ns) *ns = bson_iter_utf8(&inner, NULL);
        }
    if (found) return b;
    batch_free(b);
    return NULL;
}

ServerCursor *cursor_open(Server *s, bson_t *reply, uint32_t server_id, sqm_error_t *error) {
    ServerCursor *c = new_aligned(sizeof *c);
    const char *ns = NULL;
    c->server = s;
    c->server_id = server_id;
    c->parked_end = &c->parked;
    c->batch = batch_new(reply, &c->it, &c->id, &ns);
    if (!c->batch) {
        free(c);
        error_set(error, SQM_ERROR_INTERNAL, "the server's reply has no cursor");
        return NULL;
    }
    c->more = bson_iter_next(&c->it);
    if (c->id) {
        const char *dot = ns ? strchr(ns, '.') : NULL;
        c->database = dot ? bson_strndup(ns, (size_t)(dot - ns)) : bson_strdup(s->database);
        c->collection = bson_strdup(dot ? dot + 1 : "");
        link_cursor(c);
    }
    return c;
}

static bool get_more(ServerCursor *c, bson_t *reply, sqm_error_t *error) {
    Server *s = c->server;
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_INT64(&command, "getMore", c->id);
    BSON_APPEND_UTF8(&command, "collection", c->collection);
    bool ok;
    if (c->session == SESSION_TRANSACTION) {
        ok = transaction_continue(s, &command, reply, error);
    } else {
        bson_t opts;
        Failure failure;
        bson_copy_to(&s->channel->opts[c->session], &opts);
        if (c->server_id) BSON_APPEND_INT32(&opts, "serverId", (int32_t)c->server_id);
        ok = server_send(s, c->database, &command, &opts, s->pin_reads ? SEND_READ : SEND_RAW, reply, &failure) || server_report(s, &failure, NULL, reply, error);
        bson_destroy(&opts);
        if (ok && c->session == SESSION_PLAIN && c->guarded) ok = server_still_valid(s, error);
    }
    bson_destroy(&command);
    return ok;
}

static bool in_ended_transaction(const ServerCursor *c) {
    return c->session == SESSION_TRANSACTION && !(c->server && c->server->live && c->server->generation == c->generation);
}

int server_cursor_next(ServerCursor *c, const bson_t **doc, sqm_error_t *error) {
    while (!c->more) {
        Batch *next = c->parked;
        if (next) {
            c->parked = next->next;
            if (!c->parked) c->parked_end = &c->parked;
            bson_iter_t it, inner;
            bson_iter_init_find(&it, &next->reply, "cursor");
            bson_iter_recurse(&it, &inner);
            bson_iter_find(&inner, "nextBatch");
            bson_iter_recurse(&inner, &c->it);
        } else if (c->lost || (c->id && in_ended_transaction(c))) {
            error_set(error, SQM_ERROR_INVALID_CURSOR_STATE, "the remaining rows are gone: the transaction that they were read in was %s", c->server ? "restarted or ended" : "closed");
            return -1;
        } else if (!c->id) {
            return 0;
        } else {
            if (server_forked(c->server)) return server_check(c->server, error), -1;
            bson_t reply;
            int64_t id = 0;
            if (!get_more(c, &reply, error)) {
                bson_destroy(&reply);
                unlink_cursor(c);
                c->lost = true;
                return -1;
            }
            next = batch_new(&reply, &c->it, &id, NULL);
            if (!next) {
                error_set(error, SQM_ERROR_INTERNAL, "the server's reply has no batch");
                return -1;
            }
            if (!id) unlink_cursor(c);
        }
        batch_free(c->batch);
        c->batch = next;
        c->more = bson_iter_next(&c->it);
    }
    uint32_t length;
    const uint8_t *data;
    bson_iter_document(&c->it, &length, &data);
    if (!bson_init_static(&c->doc, data, length)) {
        error_set(error, SQM_ERROR_INTERNAL, "the server sent a malformed document");
        return -1;
    }
    c->more = bson_iter_next(&c->it);
    *doc = &c->doc;
    return 1;
}

bool server_cursor_buffered(const ServerCursor *c) { return c->more || c->parked || c->lost || !c->id; }

void cursor_park_all(Server *s) {
    enum { LIMIT = 256 << 20 };
    size_t held = 0;
    for (ServerCursor *c = s->cursors, *next; c; c = next) {
        next = c->next;
        if (c->session != SESSION_TRANSACTION || c->generation != s->generation) continue;
        while (c->id && !c->lost) {
            bson_t reply;
            bson_iter_t it;
            int64_t id = 0;
            Batch *b = NULL;
            bool ok = s->live && held < LIMIT && get_more(c, &reply, NULL);
            if (ok) {
                held += reply.len;
                b = batch_new(&reply, &it, &id, NULL);
            } else if (s->live && held < LIMIT) {
                bson_destroy(&reply);
            }
            if (!b) {
                c->lost = true;
                break;
            }
            *c->parked_end = b;
            c->parked_end = &b->next;
            c->id = id;
        }
        if (c->lost || !c->id) unlink_cursor(c);
    }
}

void server_cursor_close(ServerCursor *c) {
    if (!c) return;
    if (c->id && c->server && !server_forked(c->server) && !in_ended_transaction(c)) {
        Server *s = c->server;
        bson_t reply, ids, opts, command = BSON_INITIALIZER;
        Failure failure;
        BSON_APPEND_UTF8(&command, "killCursors", c->collection);
        BSON_APPEND_ARRAY_BEGIN(&command, "cursors", &ids);
        BSON_APPEND_INT64(&ids, "0", c->id);
        bson_append_array_end(&command, &ids);
        bson_copy_to(&s->channel->opts[c->session], &opts);
        if (c->server_id) BSON_APPEND_INT32(&opts, "serverId", (int32_t)c->server_id);
        server_send(s, c->database, &command, &opts, SEND_RAW, &reply, &failure);      /* what it answers changes nothing */
        bson_destroy(&opts);
        bson_destroy(&command);
        bson_destroy(&reply);
    }
    if (c->id) unlink_cursor(c);
    for (Batch *b = c->parked, *next; b; b = next) next = b->next, batch_free(b);
    if (c->batch) batch_free(c->batch);
    bson_free(c->database);
    bson_free(c->collection);
    free(c);
}
