/* reads SECONDS PER_SECOND FILE: reads /dev/kmsg, or another file that never ends, over and over; prints the reads that
 * gave something, and their bytes. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "pace.h"

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	static char record[16384];
	double begun = now_seconds(), until = begun + atof(argv[1]), per_second = atof(argv[2]);
	long calls = 0, bytes = 0;
	int fd = open(argv[3], O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return 1;
	while (now_seconds() < until) {
		ssize_t got = read(fd, record, sizeof record);
		if (got > 0) {
			calls++;
			bytes += got;
			if (calls % 64 == 0)
				pace(begun, calls, per_second);
		} else if (got == 0 || errno == EAGAIN) {
			if (lseek(fd, 0, SEEK_SET) != 0)
				return 1;
		} else if (errno != EPIPE) { /* EPIPE: what came next was overwritten, the read after it goes on */
			return 1;
		}
	}
	printf("%ld %ld\n", calls, bytes);
	return 0;
}
