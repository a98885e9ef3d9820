/* Clears the kernel log and is gone. Writes to standard output when: CLOCK_MONOTONIC, nanoseconds, 8 bytes.
 * With any argument it only lives and ends, which is what its life costs without the clear. */

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLEAR 5

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (syscall(SYS_syslog, CLEAR, NULL, 0) != 0)
		return 1;
	int64_t when_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	return write(1, &when_ns, sizeof when_ns) != sizeof when_ns;
}
