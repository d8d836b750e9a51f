// Sender and receiver for the bulk cases. Every stream is the same endless pattern, so a reader can tell lost, doubled
// or reordered bytes.
//   bulk source ADDRESS FIRST_PORT COUNT         serves the pattern to whoever connects to one of COUNT ports
//   bulk pull ADDRESS PORT SECONDS CONNECTIONS   counts what arrives; prints "BYTES SECONDS"
//   bulk check ADDRESS PORT BYTES                compares that many bytes with the pattern; exit 1 at the first wrong one
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// A prime, so that no power-of-two buffer size hides a block that came twice.
#define PERIOD 65521
#define CHUNK 262144

static unsigned char pattern[PERIOD + CHUNK];
static unsigned char buffer[CHUNK];

static void die(const char *what) { perror(what); exit(1); }

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *ip, int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(ip)};
}

static void fill_pattern(void) {
  uint32_t state = 1;
  for (int i = 0; i < PERIOD; i++) {
    state = state * 1664525u + 1013904223u;
    pattern[i] = state >> 24;
  }
  for (int i = PERIOD; i < PERIOD + CHUNK; i++) pattern[i] = pattern[i - PERIOD];
}

static int dial(const char *ip, int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = address(ip, port);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  return fd;
}

static void add(int epoll_fd, int fd, unsigned events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

// What epoll hands back: a listener as it is, a connection with this bit set.
#define CONNECTION (1ull << 32)

static _Noreturn void source(const char *ip, int first_port, int count) {
  static uint32_t sent_mod_period[65536];
  int epoll_fd = epoll_create1(0), on = 1;
  // sendfile spares this side a copy: sender and receiver share a core, and the proxy on the other one is to be the limit.
  int file = memfd_create("pattern", 0);
  if (write(file, pattern, sizeof pattern) != sizeof pattern) die("write");
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < count; i++) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = address(ip, first_port + i);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 128) < 0) die("listen");
    add(epoll_fd, listener, EPOLLIN, listener);
  }
  struct epoll_event events[64];
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      int fd = (int)events[i].data.u64;
      if (!(events[i].data.u64 & CONNECTION)) {
        int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        if (connection < 0) continue;
        sent_mod_period[connection & 65535] = 0;
        add(epoll_fd, connection, EPOLLOUT, connection | CONNECTION);
        continue;
      }
      uint32_t *at = &sent_mod_period[fd & 65535];
      off_t from = *at;
      ssize_t sent = sendfile(fd, file, &from, CHUNK);
      if (sent > 0) *at = (*at + sent) % PERIOD;
      else if (errno != EAGAIN) close(fd);
    }
  }
}

static int pull(const char *ip, int port, double seconds, int connections) {
  int epoll_fd = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    int fd = dial(ip, port);
    add(epoll_fd, fd, EPOLLIN, fd);
  }
  uint64_t bytes = 0;
  double start = now_seconds(), now = start;
  struct epoll_event events[64];
  while ((now = now_seconds()) < start + seconds) {
    int ready = epoll_wait(epoll_fd, events, 64, 100);
    for (int i = 0; i < ready; i++) {
      // MSG_TRUNC counts and drops TCP bytes without copying them, so that the receiver does not become the bottleneck.
      ssize_t got = recv((int)events[i].data.u64, NULL, CHUNK, MSG_TRUNC | MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return fprintf(stderr, "the stream ended after %lu bytes\n", bytes), 1;
      if (got > 0) bytes += got;
    }
  }
  printf("%lu %.6f\n", bytes, now - start);
  return 0;
}

static int check(const char *ip, int port, uint64_t bytes) {
  int fd = dial(ip, port);
  for (uint64_t seen = 0; seen < bytes;) {
    ssize_t got = recv(fd, buffer, CHUNK, 0);
    if (got <= 0) return fprintf(stderr, "the stream ended after %lu bytes\n", seen), 1;
    if (memcmp(buffer, pattern + seen % PERIOD, got) != 0) return fprintf(stderr, "wrong bytes near offset %lu\n", seen), 1;
    seen += got;
  }
  return 0;
}

int main(int argc, char **argv) {
  fill_pattern();
  if (argc == 5 && !strcmp(argv[1], "source")) source(argv[2], atoi(argv[3]), atoi(argv[4]));
  if (argc == 6 && !strcmp(argv[1], "pull")) return pull(argv[2], atoi(argv[3]), atof(argv[4]), atoi(argv[5]));
  if (argc == 5 && !strcmp(argv[1], "check")) return check(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 10));
  fprintf(stderr, "usage: bulk source ADDRESS FIRST_PORT COUNT | pull ADDRESS PORT SECONDS CONNECTIONS | check ADDRESS PORT BYTES\n");
  return 2;
}
