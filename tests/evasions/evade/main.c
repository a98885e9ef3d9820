// One program for all ways to use the log: NAME WAY [ARGUMENT...].
#include "evade.h"
#include <sys/prctl.h>

static const struct { const char *name; way *way; } WAYS[] = {
    {"run", as_run}, {"clear", as_clear}, {"int80", as_int80}, {"read-clear", as_read_clear}, {"fault", as_fault},
    {"held", as_held}, {"killed", as_killed}, {"thread", as_thread}, {"fork", as_fork}, {"vfork", as_vfork},
    {"orphan", as_orphan}, {"deleted", as_deleted}, {"turned", as_turned},
    {"written", as_written}, {"descriptor", as_descriptor}, {"memfd", as_memfd},
    {"named", as_named}, {"self", as_self}, {"exec", as_exec}, {"outlive", as_outlive},
    {"wait", as_wait}, {"later", as_later},
    {"pidns", as_pidns}, {"mntns", as_mntns}, {"userns", as_userns}, {"chroot", as_chroot}, {"reused", as_reused},
    {"storm", as_storm}, {"read", as_read}, {"splice", as_splice}, {"sendfile", as_sendfile}, {"preadv", as_preadv},
    {"uring", as_uring}, {"pass", as_pass}, {"receive", as_receive}, {"told", as_told}, {"push-out", as_push_out},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof WAYS / sizeof *WAYS; i++)
        if (!strcmp(argv[1], WAYS[i].name)) return WAYS[i].way(argc, argv);
    errx(2, "no such way");
}

static void hex(const char *bytes, size_t length, char *out) {
    if (length == 0) strcpy(out, "-");
    for (size_t i = 0; i < length; i++) sprintf(out + 2 * i, "%02x", (unsigned char)bytes[i]);
}

void report(long result) {
    char comm[16] = "", exe[8192], line[2 * sizeof exe + 64], comm_hex[64], exe_hex[2 * sizeof exe + 1];
    prctl(PR_GET_NAME, comm);
    ssize_t length = readlink("/proc/thread-self/exe", exe, sizeof exe); // not for a process that can't see itself there
    hex(comm, strlen(comm), comm_hex);
    hex(exe, length < 0 ? 0 : (size_t)length, exe_hex);
    int size = snprintf(line, sizeof line, "%ld %s %s\n", result, comm_hex, exe_hex);
    if (write(1, line, (size_t)size) != size) _exit(3);
}

void answered(long result) { report(result < 0 ? -errno : result); }

void stay(void) {
    char byte;
    if (getenv("EVADE_STAY"))
        while (read(0, &byte, 1) > 0) continue;
}

void run(char **argv) {
    int status;
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        execv(argv[0], argv);
        err(127, "%s", argv[0]);
    }
    checked(waitpid(child, &status, 0), "waitpid");
    if (status) errx(1, "what it ran ended with status %d", status);
}

int checked(int result, const char *what) {
    if (result < 0) err(1, "%s", what);
    return result;
}

int as_run(int argc, char **argv) { // run PROGRAM [ARGUMENT...]
    (void)argc;
    run(argv + 2);
    return 0;
}

int as_wait(int argc, char **argv) { // wait: says that it is there, and stays
    (void)argc, (void)argv;
    if (write(1, "waits\n", 6) != 6) return 1;
    stay();
    return 0;
}

int as_outlive(int argc, char **argv) { // outlive PROGRAM [ARGUMENT...]: runs it, and stays when that is gone
    unsetenv("EVADE_STAY");
    run(argv + 2);
    setenv("EVADE_STAY", "1", 1);
    return as_wait(argc, argv);
}

int as_exec(int argc, char **argv) { // exec DIRECTORY PATH WAY...: goes there, then runs it in its own place
    (void)argc;
    checked(chdir(argv[2]), argv[2]);
    execv(argv[3], argv + 3);
    err(127, "%s", argv[3]);
}
