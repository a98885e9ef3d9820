/* caller ACTION: one call of syslog(2), and gone. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int action = argc > 1 ? atoi(argv[1]) : 5;

	/* 4: the console level that CONSOLE_LEVEL sets, and no buffer for the others */
	return syscall(SYS_syslog, action, NULL, 4) < 0;
}
