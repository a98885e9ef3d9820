/* Calls at a rate: sleeps whenever they are ahead of it. A rate of 0 is full speed. */

#include <time.h>

static inline double now_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static inline void pace(double begun, long done, double per_second)
{
	double ahead = per_second > 0 ? begun + done / per_second - now_seconds() : 0;
	if (ahead < 0.001)
		return;
	struct timespec pause = { .tv_sec = (time_t)ahead, .tv_nsec = (long)((ahead - (time_t)ahead) * 1e9) };
	nanosleep(&pause, NULL);
}
