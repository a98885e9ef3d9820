// Reads of the two files past read(2), by descriptors that others opened, and writes that push the log out.
#include "evade.h"
#include <linux/io_uring.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char buffer[1 << 16];

static int opened(const char *path) { return checked(open(path, O_RDONLY | O_NONBLOCK), path); }

static int done(long result) {
    answered(result);
    stay();
    return 0;
}

int as_read(int argc, char **argv) { // read FILE
    (void)argc;
    return done(read(opened(argv[2]), buffer, sizeof buffer));
}

int as_told(int argc, char **argv) { // told FILE|clear: opens it, and reads or clears when it is told to
    (void)argc;
    int clears = !strcmp(argv[2], "clear"), file = clears ? -1 : opened(argv[2]);
    char byte;
    if (write(1, "ready\n", 6) != 6) return 1;
    checked((int)read(0, &byte, 1), "standard input");
    if (clears) return done(klogctl(CLEAR, NULL, 0));
    ssize_t length = read(file, buffer, sizeof buffer);
    if (length < 0 && errno == EPIPE) length = read(file, buffer, sizeof buffer); // what was next is overwritten by now
    return done(length);
}

int as_splice(int argc, char **argv) { // splice FILE
    (void)argc;
    int ends[2];
    checked(pipe(ends), "pipe");
    return done(splice(opened(argv[2]), NULL, ends[1], NULL, sizeof buffer, SPLICE_F_NONBLOCK));
}

int as_sendfile(int argc, char **argv) { // sendfile FILE
    (void)argc;
    int ends[2];
    checked(pipe(ends), "pipe");
    return done(sendfile(ends[1], opened(argv[2]), NULL, sizeof buffer));
}

int as_preadv(int argc, char **argv) { // preadv FILE
    (void)argc;
    struct iovec piece = {buffer, sizeof buffer};
    return done(preadv(opened(argv[2]), &piece, 1, 0));
}

static void *mapped(int ring, size_t size, off_t offset) {
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
    if (at == MAP_FAILED) err(1, "io_uring");
    return at;
}

int as_uring(int argc, char **argv) { // uring FILE: the kernel has a worker of its own read
    (void)argc;
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    if (ring < 0) return done(ring);
    char *submitted = mapped(ring, params.sq_off.array + sizeof(unsigned), IORING_OFF_SQ_RING);
    char *completed = mapped(ring, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mapped(ring, sizeof *entry, IORING_OFF_SQES);
    *entry = (struct io_uring_sqe){.opcode = IORING_OP_READ, .flags = IOSQE_ASYNC, .fd = opened(argv[2]),
                                   .addr = (unsigned long)buffer, .len = sizeof buffer};
    *(unsigned *)(submitted + params.sq_off.array) = 0;
    __atomic_store_n((unsigned *)(submitted + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    checked((int)syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
    report(((struct io_uring_cqe *)(completed + params.cq_off.cqes))->res);
    stay();
    return 0;
}

static union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } control;

static struct msghdr carrying(struct iovec *byte) {
    return (struct msghdr){.msg_iov = byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
}

int as_pass(int argc, char **argv) { // pass FILE PROGRAM: opens it and passes the descriptor on to PROGRAM
    (void)argc;
    int ends[2];
    checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        checked(dup2(ends[1], 0), "dup2");
        return execl(argv[3], argv[3], "receive", NULL);
    }
    int file = opened(argv[2]);
    char byte = 0;
    struct iovec piece = {&byte, 1};
    struct msghdr message = carrying(&piece);
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    checked((int)sendmsg(ends[0], &message, 0), "sendmsg");
    close(file);
    close(ends[0]); // from here on only the other one has it
    checked(waitpid(child, NULL, 0), "waitpid");
    return 0;
}

int as_receive(int argc, char **argv) { // receive: reads what it is passed on standard input, once its opener has let go
    (void)argc, (void)argv;
    char byte;
    int file;
    struct iovec piece = {&byte, 1};
    struct msghdr message = carrying(&piece);
    checked((int)recvmsg(0, &message, 0), "recvmsg");
    memcpy(&file, CMSG_DATA(&control.header), sizeof file);
    checked((int)read(0, &byte, 1), "the opener's end");
    return done(read(file, buffer, sizeof buffer));
}

int as_push_out(int argc, char **argv) { // writes twice what the log holds
    (void)argc, (void)argv;
    int log = checked(open("/dev/kmsg", O_WRONLY), "/dev/kmsg"), lines = 2 * klogctl(SIZE_BUFFER, NULL, 0) / 900;
    memset(buffer, 'x', 900);
    buffer[900] = '\n';
    for (int i = 0; i < lines; i++) checked((int)write(log, buffer, 901), "/dev/kmsg");
    report(lines);
    return 0;
}
