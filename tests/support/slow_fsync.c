/*
 * Delays fsync and fdatasync of the process that it is preloaded into, so that what a server has not yet brought to
 * disk stays that way for long enough to be killed meanwhile. Each call first waits for a random time between
 * SLOW_FSYNC_LEAST_MS and SLOW_FSYNC_MOST_MS (equal: always that long), in the thread that called it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long milliseconds(const char *name) {
    const char *value = getenv(name);
    return value == NULL ? 0 : strtol(value, NULL, 10);
}

static void delay(void) {
    static __thread unsigned int chance = 0;
    long least = milliseconds("SLOW_FSYNC_LEAST_MS"), most = milliseconds("SLOW_FSYNC_MOST_MS");
    struct timespec now, left;
    if (chance == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        chance = (unsigned int)now.tv_nsec | 1u;
    }
    long span_us = (most - least) * 1000;
    long wait_us = least * 1000 + (span_us > 0 ? rand_r(&chance) % span_us : 0);
    left.tv_sec = wait_us / 1000000;
    left.tv_nsec = wait_us % 1000000 * 1000;
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

int fsync(int descriptor) {
    delay();
    return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
    delay();
    return (int)syscall(SYS_fdatasync, descriptor);
}
