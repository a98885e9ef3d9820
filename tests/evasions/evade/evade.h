// What the ways share: a clear, a report of it, and programs that run programs.
#pragma once
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_CLEAR = 4, CLEAR = 5, SIZE_BUFFER = 10, WHOLE_LOG = 1 << 20 };

// Prints `RESULT COMM EXE`: minus the errno where the call failed, and what the kernel says this thread is called and
// runs, in hexadecimal. The test's oracle.
void report(long result);
// The same for a system call's answer: -1 is its errno.
void answered(long result);
// With EVADE_STAY in the environment: waits until standard input ends, so that /proc still knows this process.
void stay(void);
// Runs a program in a process of its own and waits for it.
void run(char **argv);
int checked(int result, const char *what);

typedef int way(int argc, char **argv);
way as_run, as_outlive, as_clear, as_int80, as_read_clear, as_fault, as_held, as_killed;
way as_thread, as_fork, as_vfork, as_orphan, as_deleted, as_turned, as_written, as_descriptor, as_memfd, as_named, as_self, as_exec, as_wait;
way as_later, as_pidns, as_mntns, as_userns, as_reused, as_storm, as_chroot;
way as_read, as_splice, as_sendfile, as_preadv, as_uring, as_pass, as_receive, as_told, as_push_out;
