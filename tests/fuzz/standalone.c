/* standalone.c - runs a fuzz target without libFuzzer: PROGRAM [--mutate N] FILE_OR_FOLDER...
 *
 * Replays every file (recursively), so that a plain build with sanitizers keeps the corpus clean. --mutate N also runs N random changes of each file
 * (bytes flipped, pieces cut out, doubled, taken from the file before), reproducibly: the seed is the file's own content. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_files, n_mutations;
static uint64_t seed;
static struct { uint8_t *bytes; size_t size; } before;

static uint32_t pick(uint32_t below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return below ? (uint32_t)(seed >> 33) % below : 0;
}

static void run(const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);      /* so that a sanitizer sees one byte too many */
    if (size) memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void mutate(const uint8_t *data, size_t size) {
    size_t room = size * 2 + before.size + 16;
    uint8_t *copy = malloc(room);
    size_t n = size;
    memcpy(copy, data, size);
    for (uint32_t changes = 1 + pick(4); changes > 0; changes--) {
        size_t at = pick((uint32_t)n + 1), length = 1 + pick(12);
        if (length > n - at) length = n - at;
        switch (pick(6)) {
        case 0:
            if (at < n) copy[at] = (uint8_t)pick(256);
            break;
        case 1:
            if (at < n) copy[at] = (uint8_t)"()'\"%$,;.*:[]-/\\eE1 "[pick(20)];
            break;
        case 2:
            memmove(copy + at, copy + at + length, n - at - length);
            n -= length;
            break;
        case 3:
            if (n + length > room) break;
            memmove(copy + at + length, copy + at, n - at);
            n += length;
            break;
        case 4:
            if (before.size == 0) break;
            {
                size_t from = pick((uint32_t)before.size), piece = 1 + pick(40);
                if (piece > before.size - from) piece = before.size - from;
                if (n + piece > room) break;
                memmove(copy + at + piece, copy + at, n - at);
                memcpy(copy + at, before.bytes + from, piece);
                n += piece;
            }
            break;
        default:
            n = at;
            break;
        }
    }
    run(copy, n);
    free(copy);
}

static void replay(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    if (S_ISDIR(info.st_mode)) {
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < n; i++) {
            if (entries[i]->d_name[0] != '.') {
                char *below = malloc(strlen(path) + strlen(entries[i]->d_name) + 2);
                sprintf(below, "%s/%s", path, entries[i]->d_name);
                replay(below);
                free(below);
            }
            free(entries[i]);
        }
        free(entries);
        return;
    }
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc((size_t)info.st_size + 1);
    size_t size = file ? fread(bytes, 1, (size_t)info.st_size, file) : 0;
    if (file) fclose(file);
    n_files++;
    run(bytes, size);
    seed = size;
    for (size_t i = 0; i < size; i++) seed = seed * 31 + bytes[i];
    for (int i = 0; i < n_mutations; i++) mutate(bytes, size);
    free(before.bytes);
    before.bytes = bytes;
    before.size = size;
}

int main(int argc, char **argv) {
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--mutate") == 0) {
        n_mutations = atoi(argv[2]);
        first = 3;
    }
    for (int i = first; i < argc; i++) replay(argv[i]);
    free(before.bytes);
    printf("%d files, %d mutations each\n", n_files, n_mutations);
    return n_files == 0;
}
