/* execs PER_SECOND PROGRAM: starts a program so often, and waits for each; says so, and on SIGTERM prints how many that were and
 * in how many seconds. */

#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "pace.h"

static volatile sig_atomic_t stop;

static void on_term(int number)
{
	(void)number;
	stop = 1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	double per_second = atof(argv[1]), begun = now_seconds();
	long count = 0;
	struct sigaction action = { .sa_handler = on_term };

	sigaction(SIGTERM, &action, NULL);
	printf("started\n");
	fflush(stdout);
	while (!stop) {
		pid_t child;
		char *arguments[] = { argv[2], NULL };
		if (posix_spawn(&child, argv[2], NULL, NULL, arguments, NULL) != 0)
			return 1;
		while (waitpid(child, NULL, 0) < 0 && !stop)
			;
		pace(begun, ++count, per_second);
	}
	printf("%ld %.3f\n", count, now_seconds() - begun);
	return 0;
}
