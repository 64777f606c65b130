/* Disk faults and clock jumps for one process: loaded by LD_PRELOAD, told what to do by a small shared file.
 *
 * CHAOS_CONTROL names the file (struct control below), CHAOS_DIRECTORY the folder whose files may fail. Only calls from
 * outside the C library come by here; SQLite and Python call through the table that LD_PRELOAD replaces. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    uint32_t chance;  /* of 65,536: how likely a call fails */
    uint32_t error;   /* errno; 0: a short write, for the others EIO */
    uint32_t calls;   /* bits: 1 write, 2 sync, 4 truncate, 8 open */
    uint32_t failed;  /* how many did; written here */
    int64_t shift;    /* seconds that CLOCK_REALTIME is ahead */
    uint64_t state;   /* of the random numbers */
};

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, OPEN = 8, FILES = 4096 };

static struct control *control;
static const char *directory;
static char ours[FILES];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHAOS_CONTROL");
    directory = getenv("CHAOS_DIRECTORY");
    if (!path) return;
    int file = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *there = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (there != MAP_FAILED) control = there;
    REAL(close)(file);
}

static int fails(int call) {
    if (!control || !control->chance || !(control->calls & call)) return 0;
    control->state = control->state * 6364136223846793005ULL + 1442695040888963407ULL;
    if ((uint32_t)(control->state >> 48) >= control->chance) return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    return 1;
}

static int is_ours(int file) { return file >= 0 && file < FILES && ours[file]; }

static int refuse(void) {
    errno = control->error ? (int)control->error : EIO;
    return -1;
}

static int opened(int file, const char *path) {
    if (file >= 0 && file < FILES && directory)
        ours[file] = strncmp(path, directory, strlen(directory)) == 0;
    return file;
}

static int open_fails(const char *path) {
    return directory && strncmp(path, directory, strlen(directory)) == 0 && fails(OPEN);
}

#define OPENS(name)                                                       \
    int name(const char *path, int flags, ...) {                          \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                     \
        if (open_fails(path)) return refuse();                            \
        return opened(REAL(name)(path, flags, mode), path);               \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                    \
    int name(int at, const char *path, int flags, ...) {                  \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                     \
        if (open_fails(path)) return refuse();                            \
        return opened(REAL(name)(at, path, flags, mode), path);           \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int close(int file) {
    if (file >= 0 && file < FILES) ours[file] = 0;
    return REAL(close)(file);
}

/* A short write writes a part and says so, as a disk that runs full does. */
static size_t length(int file, size_t size, int *refused) {
    *refused = 0;
    if (!is_ours(file) || !fails(WRITE)) return size;
    if (control->error || size < 2) *refused = 1;
    return size / 2;
}

ssize_t write(int file, const void *data, size_t size) {
    int refused;
    size = length(file, size, &refused);
    return refused ? refuse() : REAL(write)(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    int refused;
    size = length(file, size, &refused);
    return refused ? refuse() : REAL(pwrite)(file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    int refused;
    size = length(file, size, &refused);
    return refused ? refuse() : REAL(pwrite64)(file, data, size, at);
}

int fsync(int file) { return is_ours(file) && fails(SYNC) ? refuse() : REAL(fsync)(file); }
int fdatasync(int file) { return is_ours(file) && fails(SYNC) ? refuse() : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { return is_ours(file) && fails(TRUNCATE) ? refuse() : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) {
    return is_ours(file) && fails(TRUNCATE) ? refuse() : REAL(ftruncate64)(file, size);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = REAL(clock_gettime)(clock, now);
    if (!done && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += control->shift;
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int done = REAL(gettimeofday)(now, zone);
    if (!done && control) now->tv_sec += control->shift;
    return done;
}

time_t time(time_t *there) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (there) *there = now.tv_sec;
    return now.tv_sec;
}
