/* server_fork.c - fork() beside threads that use the driver.
 *
 * libmongoc guards what it knows of the servers by one lock of the process, held for moments in every command, and does nothing about fork(): a child that is made in such a moment would wait
 * for ever when it connects. So each of our calls of the driver stands between driver_enter() and driver_leave(), and who forks lets nobody in and waits until nobody is inside; but not
 * longer than LONGEST_WAIT_MS, because whoever has been inside for so long waits for the network, where it holds nothing. The driver's own threads, which look at the servers every
 * ten seconds, can't be asked to wait. */
#include <pthread.h>
#include <stdatomic.h>

#include "server_internal.h"

enum { LONGEST_WAIT_MS = 100 };

static atomic_int inside, forking;

void driver_enter(void) {
    for (;;) {
        atomic_fetch_add(&inside, 1);
        if (!atomic_load(&forking)) return;
        atomic_fetch_sub(&inside, 1);
        while (atomic_load(&forking)) pause_ms(1);
    }
}

void driver_leave(void) { atomic_fetch_sub(&inside, 1); }

void session_abort(mongoc_client_session_t *session) {
    driver_enter();
    if (mongoc_client_session_in_transaction(session)) mongoc_client_session_abort_transaction(session, NULL);
    driver_leave();
}

static void before_fork(void) {
    atomic_fetch_add(&forking, 1);
    for (int64_t until = clock_ms() + LONGEST_WAIT_MS; atomic_load(&inside) && clock_ms() < until;) pause_ms(1);
}

static void in_parent(void) { atomic_fetch_sub(&forking, 1); }

static void in_child(void) {
    atomic_store(&forking, 0);
    atomic_store(&inside, 0);
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, in_parent, in_child); }
