/* names COUNT PER_SECOND ACTION: each call of syslog(2) under a name of its own, no two alike; prints how many. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pace.h"

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	long count = atol(argv[1]), calls = 0;
	double per_second = atof(argv[2]), begun = now_seconds();
	int action = atoi(argv[3]);

	for (; calls < count; calls++) {
		char name[16];
		/* among digits what breaks a text format: a quote, a newline, a byte that is no UTF-8 */
		snprintf(name, sizeof name, "%c%u", "n\"\n\xff"[calls % 4], (unsigned)calls);
		prctl(PR_SET_NAME, name);
		if (syscall(SYS_syslog, action, NULL, 4) < 0)
			return 1;
		if (calls % 16 == 15)
			pace(begun, calls, per_second);
	}
	printf("%ld\n", calls);
	return 0;
}
