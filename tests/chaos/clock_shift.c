/*
 * Shifts the wall clock of the processes that preload it by a number of seconds, which can be changed while they run.
 *
 * CLOCK_OFFSET_FILE names a file of eight bytes, a signed integer of the machine's order: the seconds to add. Only what
 * tells the time of day is shifted; the monotonic clock and every way to wait are left alone, as on a machine whose
 * clock is set. (libfaketime 0.9.10 shifts waits as well: Java's return at once, Python's sleep fails with EINVAL.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;

__attribute__((constructor)) static void find_shift(void) {
    const char *path = getenv("CLOCK_OFFSET_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) shift = page;
    close(file);
}

static time_t shifted(time_t seconds) { return shift ? seconds + (time_t)*shift : seconds; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = (int)syscall(SYS_clock_gettime, clock, now);
    if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec = shifted(now->tv_sec);
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int code = (int)syscall(SYS_gettimeofday, now, zone);
    if (code == 0) now->tv_sec = shifted(now->tv_sec);
    return code;
}

time_t time(time_t *seconds) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}
