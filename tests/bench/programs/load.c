/* A load on the kernel log for some seconds: "clear SECONDS" clears it without a pause, "read SECONDS RATE" reads
 * /dev/kmsg RATE times a second, from the start again at its end. Prints how many calls it made, clears or reads that
 * returned a record, and how many nanoseconds one took. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLEAR 5
#define SLICE_NS 1000000

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long clears(long long until)
{
	long made = 0;

	while (now_ns() < until)
		for (int call = 0; call < 100; call++, made++)
			if (syscall(SYS_syslog, CLEAR, NULL, 0) != 0)
				exit(1);
	return made;
}

static long reads(long long begun, long long until, double rate)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	long made = 0;

	if (fd < 0)
		exit(1);
	while (now_ns() < until) {
		long due = (now_ns() - begun) * rate / 1e9;
		for (; made < due && now_ns() < until; made++)
			while (read(fd, record, sizeof record) <= 0)
				if (lseek(fd, 0, SEEK_SET) < 0)
					exit(1);
		struct timespec slice = { .tv_nsec = SLICE_NS };
		nanosleep(&slice, NULL);
	}
	return made;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long long begun = now_ns(), until = begun + atof(argv[2]) * 1e9;
	long made = strcmp(argv[1], "clear") == 0 ? clears(until) : reads(begun, until, atof(argv[3]));
	printf("%ld %.1f\n", made, (double)(now_ns() - begun) / made);
	return 0;
}
