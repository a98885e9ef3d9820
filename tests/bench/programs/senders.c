/* Sends OTLP requests as agents do: each connection one request at a time, kept open. senders PORT CONNECTIONS SECONDS FILE
 * FILE has the packed bodies, each behind its length (4 bytes, this machine's order); each is sent once, none twice.
 * Prints how many were answered with 200 and how many were not, the seconds that took, and the median and the 99th
 * percentile of the time to an answer, in milliseconds. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct body {
	uint32_t length;
	const char *bytes;
} *bodies;
static float *took_ms;
static int count, port;
static double deadline;
static atomic_int next_body, accepted, refused;

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

static int connected(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* The status of one answer, read to its end; 0 when the connection was closed. */
static int answer(int fd)
{
	char text[8192];
	size_t have = 0;
	for (;;) {
		ssize_t got = read(fd, text + have, sizeof text - 1 - have);
		if (got <= 0)
			return 0;
		text[have += got] = 0;
		char *end = strstr(text, "\r\n\r\n");
		if (end == NULL)
			continue;
		char *length = strcasestr(text, "\r\ncontent-length:");
		size_t whole = end + 4 - text + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
		if (whole >= sizeof text)
			return 0;
		if (have >= whole)
			return atoi(text + 9);
	}
}

static void *send_all(void *unused)
{
	int fd = connected();
	(void)unused;
	while (now() < deadline) {
		int which = atomic_fetch_add(&next_body, 1);
		if (which >= count)
			break;
		char head[256];
		int length = snprintf(head, sizeof head,
				      "POST /v1/logs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
				      "Content-Encoding: gzip\r\nUser-Agent: kmsg-exporter/bench\r\nContent-Length: %u\r\n\r\n",
				      port, bodies[which].length);
		struct iovec parts[] = {{head, length}, {(void *)bodies[which].bytes, bodies[which].length}};
		double begun = now();
		ssize_t all = length + bodies[which].length;
		int status = writev(fd, parts, 2) == all ? answer(fd) : 0;
		if (status == 200)
			took_ms[atomic_fetch_add(&accepted, 1)] = (now() - begun) * 1e3;
		else
			atomic_fetch_add(&refused, 1);
		if (status == 0) {
			close(fd);
			fd = connected();
		}
	}
	close(fd);
	return NULL;
}

static int earlier(const void *one, const void *other)
{
	float a = *(const float *)one, b = *(const float *)other;
	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	port = atoi(argv[1]);
	int connections = atoi(argv[2]), file = open(argv[4], O_RDONLY);
	struct stat about;
	if (file < 0 || fstat(file, &about) != 0 || about.st_size == 0) {
		perror(argv[4]);
		return 1;
	}
	const char *map = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (map == MAP_FAILED) {
		perror(argv[4]);
		return 1;
	}
	for (off_t at = 0; at < about.st_size; at += 4 + bodies[count - 1].length) {
		if (count % 4096 == 0)
			bodies = realloc(bodies, (count + 4096) * sizeof *bodies);
		memcpy(&bodies[count].length, map + at, 4);
		bodies[count++].bytes = map + at + 4;
	}
	took_ms = calloc(count, sizeof *took_ms);
	double begun = now();
	deadline = begun + atof(argv[3]);
	pthread_t *threads = calloc(connections, sizeof *threads);
	for (int each = 0; each < connections; each++)
		pthread_create(&threads[each], NULL, send_all, NULL);
	for (int each = 0; each < connections; each++)
		pthread_join(threads[each], NULL);
	double seconds = now() - begun;
	qsort(took_ms, accepted, sizeof *took_ms, earlier);
	int last = accepted ? accepted - 1 : 0;
	printf("%d %d %.6f %.3f %.3f\n", accepted, refused, seconds, took_ms[last / 2], took_ms[(int)(last * 0.99)]);
	return 0;
}
