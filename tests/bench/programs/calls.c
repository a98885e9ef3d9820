/* Times bursts of one system call, by the CPU time of the thread that calls: what it costs who calls, whoever else wants
 * the CPU meanwhile. Asked "NAME BURSTS CALLS PAUSE_US" on standard input, once a line, it answers
 * with one line: nanoseconds a call, one figure for each burst. The pauses let whoever reads the trace keep up. */

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE_BUFFER 10

static double now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(void)
{
	char name[16];
	int bursts, calls, pause_us;

	while (scanf("%15s %d %d %d", name, &bursts, &calls, &pause_us) == 4) {
		int traced = strcmp(name, "syslog") == 0;
		for (int burst = 0; burst < bursts; burst++) {
			double begun = now_ns();
			if (traced)
				for (int call = 0; call < calls; call++)
					syscall(SYS_syslog, SIZE_BUFFER, NULL, 0);
			else
				for (int call = 0; call < calls; call++)
					syscall(SYS_getppid);
			printf("%.2f ", (now_ns() - begun) / calls);
			usleep(pause_us);
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
