/* Makes so many processes that wait, each with some files open, says so with a line, and ends them with its input.
 * herd PROCESSES FILES */

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	for (int files = atoi(argv[2]); files > 0; files--)
		if (open("/dev/null", O_RDONLY) < 0)
			return 1;
	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	for (int left = atoi(argv[1]); left > 0; left--) {
		pid_t pid = fork();
		if (pid < 0)
			return 1;
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left, however this one ends */
			for (;;)
				pause();
		}
	}
	puts("ready");
	fflush(stdout);
	getchar();
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	wait(NULL); /* with SIGCHLD ignored: for all of them */
	return 0;
}
