/* clears SECONDS [CALLS]: CLEAR at full speed for so long, or so many times; prints how many calls that were. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pace.h"

#define CLEAR 5

int main(int argc, char **argv)
{
	double until = now_seconds() + (argc > 1 ? atof(argv[1]) : 10);
	long most = argc > 2 ? atol(argv[2]) : 0, calls = 0;

	while (most ? calls < most : now_seconds() < until) {
		if (syscall(SYS_syslog, CLEAR, NULL, 0) != 0)
			return 1;
		calls++;
	}
	printf("%ld\n", calls);
	return 0;
}
