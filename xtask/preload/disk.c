/*
 * Preloaded into the server by `cargo xtask powerloss`.
 *
 * Every change to a file below one folder is carried out and then written to a log: contents, sizes, names, and
 * which syncs returned. From the log the harness works out what a disk could hold after the power went (see
 * xtask/src/disk). Syncs are recorded, not done: no power goes in the test, so a real one would only cost time.
 *
 * A page that the harness shares says what is to fail: the n-th write, the n-th sync, growth beyond some space, or
 * syncs that lie. What this file cannot follow ends the process with a sentence, so that no run shows less than
 * it says.
 *
 * The system is called directly, so nothing here depends on what it replaces.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "offsets have 64 bits");

/* Shared with the harness: xtask/src/disk/preload.rs has the same layout. */
struct control {
    _Atomic uint64_t lie;           /* 1: syncs say that they were done and were not */
    _Atomic uint64_t sync_delay_us; /* how long a sync takes */
    _Atomic uint64_t write_first;   /* the first write that fails, counted from 1; 0: none */
    _Atomic uint64_t write_last;    /* the last one */
    _Atomic uint64_t sync_first;    /* the same for syncs */
    _Atomic uint64_t sync_last;
    _Atomic uint64_t space_left;    /* bytes that files may still grow by; all ones: no bound */
    _Atomic uint64_t writes;        /* writes seen */
    _Atomic uint64_t syncs;         /* syncs seen */
    _Atomic uint64_t injected;      /* failures made */
};

#define UNBOUNDED UINT64_MAX

/* The log: a head, then `length` bytes. xtask/src/disk/log.rs reads it. */
enum kind { CREATE = 1, MAKE_DIR, WRITE, TRUNCATE, UNLINK, RENAME, SYNC_BEGIN, SYNC_DONE, SYNC_FAILED };
struct head {
    uint32_t kind;
    uint32_t length;
    uint64_t inode;
    uint64_t place; /* an offset, a size, or the number of a sync */
};

#define DESCRIPTORS_MAX 65536

static char root[PATH_MAX];
static size_t root_length; /* 0 until started: everything passes */
static int log_fd = -1;
static struct control *control;
static _Atomic uint64_t followed[DESCRIPTORS_MAX]; /* inode of each descriptor below the root, or 0 */
static uint64_t sync_number;

/* How often syncs of an inode failed, and how many of those failures each descriptor has heard of: like Linux, every
 * descriptor that was open hears of each failure once. */
#define FAILED_MAX 256
static struct { uint64_t inode; uint32_t times; } failed[FAILED_MAX];
static uint32_t heard[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *what) {
    dprintf(2, "disk.c: %s\n", what);
    _exit(70);
}

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("FIRELOCK_DISK_ROOT");
    const char *log = getenv("FIRELOCK_DISK_LOG");
    const char *page = getenv("FIRELOCK_DISK_CONTROL");
    if (!folder || !log || !page) give_up("FIRELOCK_DISK_ROOT, _LOG and _CONTROL must be set");
    if (!realpath(folder, root)) give_up("the root does not exist");
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int page_fd = (int)syscall(SYS_openat, AT_FDCWD, page, O_RDWR | O_CLOEXEC, 0);
    if (log_fd < 0 || page_fd < 0) give_up("the log or the control page cannot be opened");
    void *mapped = (void *)syscall(SYS_mmap, NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    if (mapped == MAP_FAILED) give_up("the control page cannot be mapped");
    syscall(SYS_close, page_fd);
    control = mapped;
    root_length = strlen(root);
}

/* ---- the log; the caller holds the lock ---- */

static void put(const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = syscall(SYS_write, log_fd, bytes, length);
        if (written <= 0) give_up("the log cannot be written");
        bytes = (const char *)bytes + written;
        length -= (size_t)written;
    }
}

static void put_head(enum kind kind, uint64_t inode, uint64_t place, size_t length) {
    if (length > UINT32_MAX) give_up("a write of more than 4 GiB");
    struct head head = {kind, (uint32_t)length, inode, place};
    put(&head, sizeof head);
}

static void record(enum kind kind, uint64_t inode, uint64_t place, const void *bytes, size_t length) {
    int saved = errno;
    put_head(kind, inode, place, length);
    put(bytes, length);
    errno = saved;
}

/* ---- what is followed ---- */

static uint64_t inode_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS_MAX ? atomic_load(&followed[fd]) : 0;
}

static uint32_t times_failed(uint64_t inode) {
    for (int slot = 0; slot < FAILED_MAX && failed[slot].inode; slot++) {
        if (failed[slot].inode == inode) return failed[slot].times;
    }
    return 0;
}

static void note_failure(uint64_t inode) {
    int slot = 0;
    while (failed[slot].inode && failed[slot].inode != inode) {
        if (++slot == FAILED_MAX) give_up("failed syncs of more files than it can follow");
    }
    failed[slot].inode = inode;
    failed[slot].times++;
}

static void follow(int fd, uint64_t inode) {
    if (fd < 0) return;
    if (fd < DESCRIPTORS_MAX) atomic_store(&followed[fd], inode);
    else if (inode) give_up("more descriptors than it can follow");
}

/* Whether a path lies below the root; if so `name` is the path from there. */
static bool below(int folder, const char *path, char name[PATH_MAX]) {
    char whole[2 * PATH_MAX];
    if (root_length == 0 || !path) return false;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return false;
        base[length] = 0;
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    if (strncmp(whole, root, root_length) != 0) return false;
    if (whole[root_length] != '/' && whole[root_length] != 0) return false;
    const char *rest = whole + root_length;
    while (*rest == '/') rest++;
    snprintf(name, PATH_MAX, "%s", rest);
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/') name[--length] = 0;
    return true;
}

/* ---- failures; the caller holds the lock ---- */

static bool fails(_Atomic uint64_t *seen, _Atomic uint64_t *first, _Atomic uint64_t *last) {
    uint64_t number = atomic_fetch_add(seen, 1) + 1;
    uint64_t from = atomic_load(first);
    if (from == 0 || number < from || number > atomic_load(last)) return false;
    atomic_fetch_add(&control->injected, 1);
    errno = EIO;
    return true;
}

static bool write_fails(void) {
    return fails(&control->writes, &control->write_first, &control->write_last);
}

/* Whether a file may grow to `end`; takes what it needs from the space that is left. */
static bool has_space(int fd, uint64_t end) {
    uint64_t left = atomic_load(&control->space_left);
    struct stat now;
    if (left == UNBOUNDED || fstat(fd, &now) != 0 || end <= (uint64_t)now.st_size) return true;
    uint64_t growth = end - (uint64_t)now.st_size;
    if (growth > left) {
        atomic_fetch_add(&control->injected, 1);
        errno = ENOSPC;
        return false;
    }
    /* The harness may have lifted the bound meanwhile; then nothing is taken. */
    atomic_compare_exchange_strong(&control->space_left, &left, left - growth);
    return true;
}

/* What cutting a file to `size` gives back. */
static uint64_t freed_by(int fd, uint64_t size) {
    struct stat now;
    return fstat(fd, &now) == 0 && (uint64_t)now.st_size > size ? (uint64_t)now.st_size - size : 0;
}

/* ---- names ---- */

static int open_file(int folder, const char *path, int flags, mode_t mode) {
    char name[PATH_MAX];
    if (!below(folder, path, name)) {
        int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
        follow(fd, 0);
        return fd;
    }
    if ((flags & O_TMPFILE) == O_TMPFILE) give_up("files without a name are not followed");
    pthread_mutex_lock(&lock);
    struct stat before, after;
    bool existed = fstatat(folder, path, &before, 0) == 0;
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && fstat(fd, &after) == 0) {
        follow(fd, after.st_ino);
        heard[fd] = times_failed(after.st_ino);
        if (!existed) record(CREATE, after.st_ino, 0, name, strlen(name));
        else if ((flags & O_TRUNC) && S_ISREG(after.st_mode)) record(TRUNCATE, after.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_from(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(function)                                        \
    int function(const char *path, int flags, ...) {          \
        va_list arguments;                                    \
        va_start(arguments, flags);                           \
        mode_t mode = mode_from(flags, arguments);            \
        va_end(arguments);                                    \
        return open_file(AT_FDCWD, path, flags, mode);        \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function)                                      \
    int function(int folder, const char *path, int flags, ...) { \
        va_list arguments;                                    \
        va_start(arguments, flags);                           \
        mode_t mode = mode_from(flags, arguments);            \
        va_end(arguments);                                    \
        return open_file(folder, path, flags, mode);          \
    }
OPENAT(openat)
OPENAT(openat64)

/* What a C library with extra checks calls instead. */
int __open_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int mkdirat(int folder, const char *path, mode_t mode) {
    char name[PATH_MAX];
    if (!below(folder, path, name)) return (int)syscall(SYS_mkdirat, folder, path, mode);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_mkdirat, folder, path, mode);
    struct stat made;
    if (result == 0 && fstatat(folder, path, &made, 0) == 0) record(MAKE_DIR, made.st_ino, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int unlinkat(int folder, const char *path, int flags) {
    char name[PATH_MAX];
    if (!below(folder, path, name)) return (int)syscall(SYS_unlinkat, folder, path, flags);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_unlinkat, folder, path, flags);
    if (result == 0) record(UNLINK, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = unlink(path);
    return result == 0 || errno != EISDIR ? result : rmdir(path);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char names[2 * PATH_MAX], target[PATH_MAX];
    bool source_below = below(from_folder, from, names), target_below = below(to_folder, to, target);
    if (!source_below && !target_below) return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (!source_below || !target_below || (flags & RENAME_EXCHANGE)) give_up("a rename it cannot follow");
    size_t length = strlen(names) + 1;
    memcpy(names + length, target, strlen(target));
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (result == 0) record(RENAME, 0, 0, names, length + strlen(target));
    pthread_mutex_unlock(&lock);
    return result;
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char name[PATH_MAX];
    if (below(from_folder, from, name) || below(to_folder, to, name)) give_up("links are not followed");
    return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int symlinkat(const char *content, int folder, const char *path) {
    char name[PATH_MAX];
    if (below(folder, path, name)) give_up("links are not followed");
    return (int)syscall(SYS_symlinkat, content, folder, path);
}
int symlink(const char *content, const char *path) { return symlinkat(content, AT_FDCWD, path); }

/* ---- contents ---- */

ssize_t writev(int fd, const struct iovec *parts, int count) {
    uint64_t inode = inode_of(fd);
    if (!inode) return syscall(SYS_writev, fd, parts, count);
    pthread_mutex_lock(&lock);
    struct stat now = {0};
    off_t place = lseek(fd, 0, SEEK_CUR);
    if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &now) == 0) place = now.st_size;
    uint64_t wanted = 0;
    for (int part = 0; part < count; part++) wanted += parts[part].iov_len;
    ssize_t result = -1;
    if (!write_fails() && has_space(fd, (uint64_t)place + wanted)) result = syscall(SYS_writev, fd, parts, count);
    if (result > 0) {
        size_t left = (size_t)result;
        put_head(WRITE, inode, (uint64_t)place, left);
        for (int part = 0; part < count && left > 0; part++) {
            size_t length = parts[part].iov_len < left ? parts[part].iov_len : left;
            put(parts[part].iov_base, length);
            left -= length;
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!inode_of(fd)) return syscall(SYS_write, fd, bytes, length);
    struct iovec all = {(void *)bytes, length};
    return writev(fd, &all, 1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t place) {
    uint64_t inode = inode_of(fd);
    if (!inode) return syscall(SYS_pwrite64, fd, bytes, length, place);
    pthread_mutex_lock(&lock);
    ssize_t result = -1;
    if (!write_fails() && has_space(fd, (uint64_t)place + length)) {
        result = syscall(SYS_pwrite64, fd, bytes, length, place);
    }
    if (result > 0) record(WRITE, inode, (uint64_t)place, bytes, (size_t)result);
    pthread_mutex_unlock(&lock);
    return result;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t place) { return pwrite64(fd, bytes, length, place); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t place) {
    if (inode_of(fd)) give_up("pwritev is not followed");
    return syscall(SYS_pwritev, fd, parts, count, (unsigned long)place, 0UL);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t place) {
    return pwritev(fd, parts, count, place);
}

int ftruncate64(int fd, off_t size) {
    uint64_t inode = inode_of(fd);
    if (!inode) return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int result = -1;
    uint64_t freed = freed_by(fd, (uint64_t)size);
    if (!write_fails() && has_space(fd, (uint64_t)size)) result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0 && freed && atomic_load(&control->space_left) != UNBOUNDED) atomic_fetch_add(&control->space_left, freed);
    if (result == 0) record(TRUNCATE, inode, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off_t size) {
    char name[PATH_MAX];
    if (below(AT_FDCWD, path, name)) give_up("truncate by name is not followed");
    return (int)syscall(SYS_truncate, path, size);
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

int fallocate64(int fd, int mode, off_t place, off_t length) {
    if (inode_of(fd)) give_up("fallocate is not followed");
    return (int)syscall(SYS_fallocate, fd, mode, place, length);
}
int fallocate(int fd, int mode, off_t place, off_t length) { return fallocate64(fd, mode, place, length); }
int posix_fallocate64(int fd, off_t place, off_t length) { return fallocate64(fd, 0, place, length) == 0 ? 0 : errno; }
int posix_fallocate(int fd, off_t place, off_t length) { return posix_fallocate64(fd, place, length); }

ssize_t copy_file_range(int from, off_t *from_place, int to, off_t *to_place, size_t length, unsigned flags) {
    if (inode_of(to)) give_up("copies inside the kernel are not followed");
    return syscall(SYS_copy_file_range, from, from_place, to, to_place, length, flags);
}
ssize_t sendfile64(int to, int from, off_t *place, size_t length) {
    if (inode_of(to)) give_up("copies inside the kernel are not followed");
    return syscall(SYS_sendfile, to, from, place, length);
}
ssize_t sendfile(int to, int from, off_t *place, size_t length) { return sendfile64(to, from, place, length); }

/* Writes through a mapping are not seen. SQLite's index of its log is such a mapping; it is never synced and made
 * anew at every start, so what was written to it counts as lost. Anything else must not write so. */
static bool is_log_index(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= 4 && memcmp(path + length - 4, "-shm", 4) == 0;
}

void *mmap64(void *wanted, size_t length, int protection, int flags, int fd, off_t place) {
    bool writes = (flags & (MAP_SHARED | MAP_SHARED_VALIDATE)) && (protection & PROT_WRITE);
    if (writes && inode_of(fd) && !is_log_index(fd)) give_up("a file is written through a mapping");
    return (void *)syscall(SYS_mmap, wanted, length, protection, flags, fd, place);
}
void *mmap(void *wanted, size_t length, int protection, int flags, int fd, off_t place) {
    return mmap64(wanted, length, protection, flags, fd, place);
}

/* ---- syncs ---- */

static int sync_file(int fd, long number) {
    uint64_t inode = inode_of(fd);
    if (!inode) return (int)syscall(number, fd);
    pthread_mutex_lock(&lock);
    bool fails_now = fails(&control->syncs, &control->sync_first, &control->sync_last);
    if (fails_now) note_failure(inode);
    uint32_t times = times_failed(inode);
    bool is_news = heard[fd] != times;
    heard[fd] = times;
    bool lies = atomic_load(&control->lie) != 0;
    uint64_t this_sync = ++sync_number;
    /* Only what was there when the sync began is sure to be on the disk when it ends. */
    if (!lies) record(SYNC_BEGIN, inode, this_sync, NULL, 0);
    pthread_mutex_unlock(&lock);
    useconds_t delay = (useconds_t)atomic_load(&control->sync_delay_us);
    if (delay) usleep(delay);
    if (!lies) {
        pthread_mutex_lock(&lock);
        record(is_news ? SYNC_FAILED : SYNC_DONE, inode, this_sync, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    if (!is_news) return 0;
    errno = EIO;
    return -1;
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

/* ---- descriptors ---- */

int close(int fd) {
    follow(fd, 0);
    return (int)syscall(SYS_close, fd);
}

static int same_as(int fd, int copy) {
    follow(copy, inode_of(fd));
    if (inode_of(fd) && copy >= 0) heard[copy] = heard[fd];
    return copy;
}
int dup(int fd) { return same_as(fd, (int)syscall(SYS_dup, fd)); }
int dup3(int fd, int copy, int flags) { return same_as(fd, (int)syscall(SYS_dup3, fd, copy, flags)); }
int dup2(int fd, int copy) {
    if (fd == copy) return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
    return dup3(fd, copy, 0);
}

int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    int result = (int)syscall(SYS_fcntl, fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? same_as(fd, result) : result;
}
int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return fcntl64(fd, command, argument);
}
