/* zone.c - time zones: from a name to a table of offsets, and between UTC and local clocks.
 *
 * A zone is an immutable list of instants and the offset that begins at each, read once from ICU's zone data up to the year 2500; later instants
 * are looked up 400 years earlier (the Gregorian calendar, weekdays included, repeats, and so do the zones' rules). Zones are kept in a list for the
 * life of the process, guarded by a mutex; each thread remembers its last look-up, which is what a column of rows asks for again and again.
 *
 * Names are searched as PostgreSQL does: abbreviations ('CET' is +01 all year), Olson names in any case, then POSIX '[name]+hh[:mm[:ss]]', where
 * a positive offset lies west of Greenwich:
 *     '+05:30' -> UTC-5:30        'Africa/Nairobi-01:00' -> UTC+1 (the name says nothing)        'Etc/GMT+5' -> UTC-5 (an Olson name) */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "datetime.h"

typedef struct Shift { int64_t at; int32_t offset; } Shift;     /* from this UTC second on */

struct Zone {
    struct Zone *next;
    char name[72];
    int32_t first_offset;       /* before any shift */
    int n;
    Shift shifts[];
};

#define HORIZON INT64_C(16725225600)            /* 2500-01-01 */
#define CYCLE (INT64_C(146097) * 86400)         /* 400 years */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Zone *zones;

/* A thread that fork() leaves behind must not hold the lock in the child for ever. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork); }

/* Offsets in minutes of the abbreviations PostgreSQL knows by default. */
static const struct Abbreviation { char name[8]; int16_t minutes; } abbreviations[] = {
    {"ACDT", 630}, {"ACST", 570}, {"ACT", -300}, {"ADT", -180}, {"AEDT", 660}, {"AEST", 600}, {"AFT", 270}, {"AKDT", -480}, {"AKST", -540}, {"ART", -180},
    {"AST", -240}, {"AWST", 480}, {"AZOST", 0}, {"AZOT", -60}, {"BDT", 360}, {"BNT", 480}, {"BOT", -240}, {"BRST", -120}, {"BRT", -180}, {"BST", 60},
    {"BTT", 360}, {"CADT", 630}, {"CCT", 480}, {"CDT", -300}, {"CEST", 120}, {"CET", 60}, {"CETDST", 120}, {"CHADT", 825}, {"CHAST", 765}, {"CHUT", 600},
    {"CST", -360}, {"CXT", 420}, {"EAT", 180}, {"EDT", -240}, {"EEST", 180}, {"EET", 120}, {"EETDST", 180}, {"EGST", 0}, {"EGT", -60}, {"EST", -300},
    {"FET", 180}, {"FJST", 780}, {"FJT", 720}, {"FNST", -60}, {"FNT", -120}, {"GALT", -360}, {"GET", 240}, {"GFT", -180}, {"GILT", 720}, {"GMT", 0},
    {"HKT", 480}, {"HST", -600}, {"ICT", 420}, {"IDT", 180}, {"IOT", 360}, {"IST", 120}, {"JST", 540}, {"KDT", 600}, {"KGT", 360}, {"KST", 540},
    {"LHDT", 660}, {"LHST", 630}, {"MART", -570}, {"MDT", -360}, {"MEST", 120}, {"MESZ", 120}, {"MET", 60}, {"METDST", 120}, {"MEZ", 60}, {"MHT", 720},
    {"MMT", 390}, {"MSD", 240}, {"MSK", 180}, {"MST", -420}, {"MUT", 240}, {"MVT", 300}, {"MYT", 480}, {"NDT", -150}, {"NFT", -210}, {"NPT", 345},
    {"NST", -210}, {"NUT", -660}, {"NZDT", 780}, {"NZST", 720}, {"NZT", 720}, {"PDT", -420}, {"PET", -300}, {"PGT", 600}, {"PHT", 480}, {"PKT", 300},
    {"PMDT", -120}, {"PMST", -180}, {"PONT", 660}, {"PST", -480}, {"RET", 240}, {"SAST", 120}, {"SCT", 240}, {"SGT", 480}, {"TAHT", -600}, {"TFT", 300},
    {"TJT", 300}, {"TRUT", 600}, {"TVT", 720}, {"UCT", 0}, {"UT", 0}, {"UTC", 0}, {"UZT", 300}, {"VUT", 660}, {"WADT", 480}, {"WAKT", 720},
    {"WAT", 60}, {"WET", 0}, {"WETDST", 60}, {"WFT", 720}, {"YAPT", 600}, {"Z", 0}, {"ZULU", 0},
};

/* Three capitals that ICU takes for a zone but Olson's list doesn't have: 'ECT', 'PNT' ... */
static bool is_icu_legacy(const char *id) {
    static const char olson[] = " CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET ";
    char key[] = {' ', id[0], id[0] ? id[1] : 0, id[0] && id[1] ? id[2] : 0, ' ', 0};
    return strlen(id) == 3 && !strstr(olson, key);
}

static bool is_system_zone(const char *id) {
    UChar wide[72], canonical[128];
    UBool system = false;
    UErrorCode status = U_ZERO_ERROR;
    u_charsToUChars(id, wide, (int32_t)strlen(id));
    ucal_getCanonicalTimeZoneID(wide, (int32_t)strlen(id), canonical, 128, &system, &status);
    return U_SUCCESS(status) && system && !is_icu_legacy(id);
}

/* ICU's spelling of an Olson name; false when there is none. `id` holds the name and is overwritten. */
static bool find_olson(char *id, size_t size) {
    if (is_system_zone(id)) return true;
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *all = ucal_openTimeZones(&status);
    bool found = false;
    const char *candidate;
    int32_t n;
    while (!found && U_SUCCESS(status) && (candidate = uenum_next(all, &n, &status)))
        if (strcasecmp(candidate, id) == 0 && (size_t)n < size && !is_icu_legacy(candidate)) {
            memcpy(id, candidate, (size_t)n + 1);
            found = true;
        }
    uenum_close(all);
    return found;
}

static int32_t calendar_offset(UCalendar *c, UErrorCode *status) {
    return (ucal_get(c, UCAL_ZONE_OFFSET, status) + ucal_get(c, UCAL_DST_OFFSET, status)) / 1000;
}

/* A zone with room for `n` shifts; aborts as the arena does when there is no memory. */
static Zone *resize_zone(Zone *z, int n) {
    z = realloc(z, sizeof *z + sizeof(Shift) * (size_t)n);
    if (!z) abort();
    return z;
}

static Zone *load_olson(const char *id) {
    UChar wide[72];
    UErrorCode status = U_ZERO_ERROR;
    u_charsToUChars(id, wide, (int32_t)strlen(id));
    UCalendar *c = ucal_open(wide, (int32_t)strlen(id), "en", UCAL_GREGORIAN, &status);
    if (U_FAILURE(status)) return NULL;
    int capacity = 64;
    Zone *z = resize_zone(NULL, capacity);
    z->n = 0;
    UDate at = -1e14;                           /* before any zone's first shift */
    ucal_setMillis(c, at, &status);
    int32_t offset = z->first_offset = calendar_offset(c, &status);
    while (ucal_getTimeZoneTransitionDate(c, UCAL_TZ_TRANSITION_NEXT, &at, &status) && U_SUCCESS(status) && at < HORIZON * 1000.0) {
        ucal_setMillis(c, at, &status);
        int32_t next = calendar_offset(c, &status);
        if (next == offset) continue;
        if (z->n == capacity) z = resize_zone(z, capacity *= 2);
        z->shifts[z->n++] = (Shift){(int64_t)(at / 1000), offset = next};
    }
    ucal_close(c);
    if (U_SUCCESS(status)) return z;
    free(z);
    return NULL;
}

static Zone *load_fixed(int32_t offset) {
    Zone *z = resize_zone(NULL, 0);
    z->n = 0;
    z->first_offset = offset;
    return z;
}

/* [name | <name>]{+|-}hh[:mm[:ss]] with nothing after it. */
static bool parse_posix(const char *p, int32_t *offset) {
    if (*p == '<') {
        while (*p && *p != '>') p++;
        if (*p++ != '>') return false;
    } else while (*p && *p != '+' && *p != '-' && *p != ',' && !(*p >= '0' && *p <= '9')) p++;
    int sign = *p == '-' ? 1 : -1, fields[3] = {0};
    if (*p == '+' || *p == '-') p++;
    for (int i = 0; i < 3; i++) {
        int digits = 0;
        for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++) fields[i] = fields[i] * 10 + (*p - '0');
        if (digits == 0) return false;
        if (*p != ':') break;
        p++;
    }
    if (*p || fields[0] > 167 || fields[1] > 59 || fields[2] > 59) return false;
    *offset = sign * (fields[0] * 3600 + fields[1] * 60 + fields[2]);
    return true;
}

static Zone *load_zone(const char *name) {
    char id[72];
    int32_t offset;
    for (size_t i = 0; i < sizeof abbreviations / sizeof *abbreviations; i++)
        if (strcasecmp(abbreviations[i].name, name) == 0) return load_fixed(abbreviations[i].minutes * 60);
    snprintf(id, sizeof id, "%s", name);
    if (find_olson(id, sizeof id)) return load_olson(id);
    return parse_posix(name, &offset) ? load_fixed(offset) : NULL;
}

const Zone *zone_find(Str name, sqm_error_t *error) {
    static _Thread_local const Zone *last;
    char key[72];
    Zone *z = NULL;
    if (last && str_is(name, last->name)) return last;
    bool plain = name.n > 0 && name.n < sizeof key;
    for (uint32_t i = 0; plain && i < name.n; i++) plain = name.p[i] > ' ' && name.p[i] < 127;
    if (plain) {
        memcpy(key, name.p, name.n);
        key[name.n] = 0;
        pthread_mutex_lock(&lock);
        for (z = zones; z && strcmp(z->name, key) != 0; z = z->next) {}
        if (!z && (z = load_zone(key))) {
            memcpy(z->name, key, name.n + 1);
            z->next = zones;
            zones = z;
        }
        pthread_mutex_unlock(&lock);
    }
    if (z) return last = z;
    error_set(error, SQM_ERROR_INVALID_ARGUMENT, "time zone \"%.*s\" not recognized", str_clip(name, 100), name.p);
    return NULL;
}

/* Index of the last shift at or before the instant; -1 before the first. */
static int find_shift(const Zone *z, int64_t second) {
    int low = -1, high = z->n;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (z->shifts[middle].at <= second) low = middle;
        else high = middle;
    }
    return low;
}

static int64_t floor_second(int64_t usec) { return usec / USEC_SECOND - (usec % USEC_SECOND < 0); }

static int64_t fold_cycle(int64_t second) {
    return second < HORIZON ? second : second - ((second - HORIZON) / CYCLE + 1) * CYCLE;
}

int zone_offset(const Zone *z, int64_t utc) {
    int i = find_shift(z, fold_cycle(floor_second(utc)));
    return i < 0 ? z->first_offset : z->shifts[i].offset;
}

int64_t zone_to_local(const Zone *z, int64_t utc) { return utc + zone_offset(z, utc) * USEC_SECOND; }

/* Two offsets come into question: the one a day before and the one after the shift that follows. */
int64_t zone_to_utc(const Zone *z, int64_t local) {
    int64_t second = fold_cycle(floor_second(local));
    int i = find_shift(z, second - 86400);
    int before = i < 0 ? z->first_offset : z->shifts[i].offset;
    int offset = before;
    for (; i + 1 < z->n && z->shifts[i + 1].at <= second + 86400; i++) {
        const Shift *next = &z->shifts[i + 1];
        before = offset;
        bool early = second - before < next->at, late = second - next->offset >= next->at;
        if (early && !late) break;
        if (early == late) {                    /* twice, or never: the smaller offset is right both times, as in PostgreSQL */
            if (next->offset < before) offset = next->offset;
            break;
        }
        offset = next->offset;
    }
    return local - offset * USEC_SECOND;
}
