/* Preloaded into the program: makes writes and syncs of files below a folder fail, counted over the whole process.
 *
 * OCTORHAI_TEST_FAIL_PATH   the folder
 * OCTORHAI_TEST_FAIL_NTH    the first call that fails, from 1; 0: none, they are counted only
 * OCTORHAI_TEST_FAIL_COUNT  how many fail from there
 * OCTORHAI_TEST_FAIL_ERRNO  with what: ENOSPC or EIO
 * OCTORHAI_TEST_FAIL_LOG    a file that gets a line for each counted call: its name, and `!` when it failed */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long seen;

/* Whether this call on this file is one to fail; then errno is set. */
static int fails(int fd, const char *call) {
    const char *folder = getenv("OCTORHAI_TEST_FAIL_PATH");
    if (!folder || !*folder) return 0;
    int before = errno;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    size_t own = strlen(folder);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, own) != 0 || (path[own] != '/' && path[own] != 0)) return 0;
    const char *nth = getenv("OCTORHAI_TEST_FAIL_NTH"), *count = getenv("OCTORHAI_TEST_FAIL_COUNT");
    const char *what = getenv("OCTORHAI_TEST_FAIL_ERRNO"), *log = getenv("OCTORHAI_TEST_FAIL_LOG");
    long first = nth ? atol(nth) : 0, many = count ? atol(count) : 1, now = atomic_fetch_add(&seen, 1) + 1;
    int hit = first > 0 && now >= first && now - first < many;
    if (log) {
        char line[4200];
        int size = snprintf(line, sizeof line, "%s%s %s\n", hit ? "!" : "", call, path + own);
        int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0) {
            syscall(SYS_write, file, line, (size_t)size);
            syscall(SYS_close, file);
        }
        errno = before;
    }
    if (hit) errno = what && strcmp(what, "EIO") == 0 ? EIO : ENOSPC;
    return hit;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *buffer, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    return fails(fd, "write") ? -1 : real(fd, buffer, size);
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return fails(fd, "pwrite") ? -1 : real(fd, buffer, size, at);
}

ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return fails(fd, "pwrite64") ? -1 : real(fd, buffer, size, at);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return fails(fd, "fsync") ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return fails(fd, "fdatasync") ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) {
    REAL(int, ftruncate, int, off_t);
    return fails(fd, "ftruncate") ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    return fails(fd, "ftruncate64") ? -1 : real(fd, size);
}
