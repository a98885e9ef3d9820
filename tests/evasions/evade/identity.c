// Who calls: threads, forks, executables that are not where they were, names, namespaces, pids.
#include "evade.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static char *const CLEARS[] = {"it", "clear", NULL};

static void *named_thread(void *name) {
    prctl(PR_SET_NAME, name);
    as_clear(0, NULL);
    return NULL;
}

int as_thread(int argc, char **argv) { // thread NAME
    (void)argc;
    pthread_t thread;
    pthread_create(&thread, NULL, named_thread, argv[2]);
    pthread_join(thread, NULL);
    return 0;
}

static int by_child(pid_t child) {
    if (child == 0) {
        as_clear(0, NULL);
        _exit(0);
    }
    checked(child, "fork");
    checked(waitpid(child, NULL, 0), "waitpid");
    return 0;
}

int as_fork(int argc, char **argv) {
    (void)argc, (void)argv;
    return by_child(fork());
}

int as_vfork(int argc, char **argv) {
    (void)argc, (void)argv;
    pid_t child = vfork();
    if (child == 0) { // nothing here may change the parent's stack
        klogctl(CLEAR, NULL, 0);
        _exit(0);
    }
    checked(waitpid(child, NULL, 0), "waitpid");
    report(0); // the child was called the same
    return 0;
}

int as_orphan(int argc, char **argv) { // a child that waits until its parent is gone
    (void)argc, (void)argv;
    int alive[2];
    checked(pipe(alive), "pipe");
    if (checked(fork(), "fork")) return 0;
    close(alive[1]);
    char byte;
    checked((int)read(alive[0], &byte, 1), "read");
    return as_clear(0, NULL);
}

int as_deleted(int argc, char **argv) { // deletes itself while it runs
    (void)argc;
    checked(unlink(argv[0]), argv[0]);
    return as_clear(0, NULL);
}

int as_turned(int argc, char **argv) { // turned OTHER: the symlink that it was run by leads to OTHER when it is gone
    (void)argc;
    as_clear(0, NULL);
    checked(unlink(argv[0]), argv[0]);
    return symlink(argv[2], argv[0]);
}

int as_written(int argc, char **argv) { // written SCRIPT OTHER: the SCRIPT that it interprets is OTHER's when it is gone
    (void)argc;
    as_clear(0, NULL);
    FILE *script = fopen(argv[2], "w");
    return script == NULL || fprintf(script, "#!%s\n", argv[3]) < 0 || fclose(script);
}

int as_descriptor(int argc, char **argv) { // deletes itself and runs what it still has open
    (void)argc;
    int self = checked(open(argv[0], O_RDONLY | O_CLOEXEC), argv[0]);
    checked(unlink(argv[0]), argv[0]);
    return fexecve(self, CLEARS, environ);
}

int as_memfd(int argc, char **argv) { // memfd NAME: a copy of itself that no directory holds
    (void)argc;
    struct stat status;
    int self = checked(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "/proc/self/exe");
    int copy = checked(memfd_create(argv[2], MFD_CLOEXEC), "memfd_create");
    checked(fstat(self, &status), "fstat");
    checked((int)sendfile(copy, self, NULL, (size_t)status.st_size), "sendfile");
    return fexecve(copy, CLEARS, environ);
}

int as_named(int argc, char **argv) { // named NAME: what it calls itself
    (void)argc;
    prctl(PR_SET_NAME, argv[2]);
    return as_clear(0, NULL);
}

int as_self(int argc, char **argv) {
    (void)argc, (void)argv;
    return execv("/proc/self/exe", CLEARS);
}

int as_later(int argc, char **argv) { // later PROGRAM: clears, then runs another program in its own place
    (void)argc;
    answered(klogctl(CLEAR, NULL, 0));
    return execl(argv[2], argv[2], "wait", NULL);
}

int as_pidns(int argc, char **argv) {
    (void)argc, (void)argv;
    checked(unshare(CLONE_NEWPID), "unshare");
    return by_child(fork());
}

int as_mntns(int argc, char **argv) { // mntns PATH: runs itself from a PATH that nobody outside has it at
    (void)argc;
    checked(unshare(CLONE_NEWNS), "unshare");
    checked(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    checked(mount(argv[0], argv[2], NULL, MS_BIND, NULL), argv[2]);
    char *const again[] = {argv[2], "clear", NULL};
    run((char **)again);
    return 0;
}

int as_userns(int argc, char **argv) {
    (void)argc, (void)argv;
    checked(unshare(CLONE_NEWUSER), "unshare");
    return as_clear(0, NULL);
}

int as_chroot(int argc, char **argv) { // chroot DIRECTORY PROGRAM: there it has a path that is another's outside
    (void)argc;
    checked(chroot(argv[2]), argv[2]);
    return execl(argv[3], argv[3], "clear", NULL);
}

int as_reused(int argc, char **argv) { // reused PROGRAM: clears in a child, and runs another program under its pid
    (void)argc;
    int status;
    unsetenv("EVADE_STAY"); // the one that clears does not stay
    pid_t child = checked(fork(), "fork");
    if (child == 0) return execl(argv[0], argv[0], "clear", NULL);
    checked(waitpid(child, &status, 0), "waitpid");
    pid_t pids[] = {child};
    struct clone_args again = {.exit_signal = SIGCHLD, .set_tid = (unsigned long)pids, .set_tid_size = 1};
    long other = syscall(SYS_clone3, &again, sizeof again);
    checked((int)other, "clone3");
    if (other == 0) {
        setenv("EVADE_STAY", "1", 1);
        return execl(argv[2], argv[2], "wait", NULL);
    }
    checked(waitpid(child, &status, 0), "waitpid");
    return 0;
}

static void fork_often(int times) {
    for (int i = 0; i < times; i++) {
        pid_t child = checked(fork(), "fork");
        if (child == 0) _exit(0);
        checked(waitpid(child, NULL, 0), "waitpid");
    }
}

int as_storm(int argc, char **argv) { // storm FORKS: half of them before the one clear, half after it
    (void)argc;
    char *const again[] = {argv[0], "clear", NULL};
    fork_often(atoi(argv[2]) / 2);
    run((char **)again);
    fork_often(atoi(argv[2]) / 2);
    return 0;
}
