// The calls that clear: by both ABIs, with every kind of buffer, and one that is held half way.
#include "evade.h"
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

int as_clear(int argc, char **argv) {
    (void)argc, (void)argv;
    answered(klogctl(CLEAR, NULL, 0));
    stay();
    return 0;
}

int as_int80(int argc, char **argv) {
    (void)argc, (void)argv;
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(103L), "b"((long)CLEAR), "c"(0L), "d"(0L) : "memory");
    report(result);
    return 0;
#else
    errx(2, "there is no int $0x80 here");
#endif
}

int as_read_clear(int argc, char **argv) { // read-clear LENGTH
    (void)argc;
    int length = atoi(argv[2]);
    answered(klogctl(READ_CLEAR, malloc((size_t)length + 1), length));
    return 0;
}

static char *before_a_hole(size_t good) { // `good` bytes of memory, and then a page that faults
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *area = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    checked(mprotect(area + page, page, PROT_NONE), "mprotect");
    return area + page - good;
}

int as_fault(int argc, char **argv) { // fault GOOD LENGTH: a buffer of LENGTH bytes, of which the first GOOD are there
    (void)argc;
    answered(klogctl(READ_CLEAR, before_a_hole((size_t)atoi(argv[2])), atoi(argv[3])));
    return 0;
}

static char *held; // its second page is missing until somebody gives it

static void *read_clear_into_held(void *unused) {
    (void)unused;
    answered(klogctl(READ_CLEAR, held, WHOLE_LOG));
    return NULL;
}

// A read_clear by another thread, and the moment in which it waits for the missing page.
static int hold(pthread_t *thread) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fault = checked((int)syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
    struct uffdio_api api = {.api = UFFD_API};
    checked(ioctl(fault, UFFDIO_API, &api), "UFFDIO_API");
    held = mmap(NULL, WHOLE_LOG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    held[0] = 1;
    struct uffdio_register where = {.range = {(unsigned long)held + page, WHOLE_LOG - page},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    checked(ioctl(fault, UFFDIO_REGISTER, &where), "UFFDIO_REGISTER");
    pthread_create(thread, NULL, read_clear_into_held, NULL);
    struct uffd_msg message;
    checked((int)read(fault, &message, sizeof message), "userfaultfd");
    return fault;
}

int as_held(int argc, char **argv) { // held MILLISECONDS
    (void)argc;
    pthread_t thread;
    int fault = hold(&thread);
    usleep((useconds_t)atoi(argv[2]) * 1000);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct uffdio_zeropage rest = {.range = {(unsigned long)held + page, WHOLE_LOG - page}};
    checked(ioctl(fault, UFFDIO_ZEROPAGE, &rest), "UFFDIO_ZEROPAGE");
    pthread_join(thread, NULL);
    stay();
    return 0;
}

int as_killed(int argc, char **argv) { // killed: by another process, half way through
    (void)argc, (void)argv;
    int half_way[2];
    checked(pipe(half_way), "pipe");
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        pthread_t thread;
        hold(&thread);
        if (write(half_way[1], "", 1) != 1) _exit(3);
        pause();
    }
    char byte;
    checked((int)read(half_way[0], &byte, 1), "read");
    kill(child, SIGKILL);
    checked(waitpid(child, NULL, 0), "waitpid");
    report(-EFAULT); // what it would have said
    return 0;
}
