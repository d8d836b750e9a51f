// The floor for every proxy here: forwards TCP bytes and does nothing else, with level-triggered epoll, recv and send
// and one fixed buffer. No parsing, no pooling, no timeouts, no metrics. usage: floor LISTEN_PORT UPSTREAM_ADDRESS UPSTREAM_PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// One end of a pair. `rest` is what the last short write left; while there is any, the peer is not read.
struct end {
  int fd;
  int finished; // no more bytes come from here
  struct end *peer, *next_dead;
  char *rest;
  size_t rest_at, rest_bytes;
};

static int epoll_fd;
static struct end *dead; // freed after the batch: later events of the same batch may still point at them
static char buffer[65536];

static void die(const char *what) { perror(what); exit(1); }

static struct sockaddr_in address(const char *ip, int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(ip)};
}

static void watch(struct end *e, int op) {
  int reads = !e->finished && e->peer->rest_bytes == 0;
  struct epoll_event event = {.events = (reads ? EPOLLIN : 0) | (e->rest_bytes ? EPOLLOUT : 0), .data.ptr = e};
  if (epoll_ctl(epoll_fd, op, e->fd, &event) < 0) die("epoll_ctl");
}

static struct end *add(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct end *e = calloc(1, sizeof *e);
  if (!e) die("calloc");
  e->fd = fd;
  return e;
}

static void drop(struct end *e) {
  struct end *both[2] = {e, e->peer};
  for (int i = 0; i < 2; i++) {
    close(both[i]->fd);
    both[i]->fd = -1;
    both[i]->next_dead = dead;
    dead = both[i];
  }
}

static void open_pair(int client_fd, const struct sockaddr_in *upstream_at) {
  // Connecting within the machine ends within the call, so it may as well block.
  int upstream_fd = socket(AF_INET, SOCK_STREAM, 0);
  if (upstream_fd < 0 || connect(upstream_fd, (const struct sockaddr *)upstream_at, sizeof *upstream_at) < 0) {
    if (upstream_fd >= 0) close(upstream_fd);
    close(client_fd);
    return;
  }
  fcntl(upstream_fd, F_SETFL, O_NONBLOCK);
  struct end *client = add(client_fd), *upstream = add(upstream_fd);
  client->peer = upstream;
  upstream->peer = client;
  watch(client, EPOLL_CTL_ADD);
  watch(upstream, EPOLL_CTL_ADD);
}

// Returns 0 when the pair is gone.
static int on_readable(struct end *from) {
  struct end *to = from->peer;
  ssize_t got = recv(from->fd, buffer, sizeof buffer, 0);
  if (got < 0) return errno == EAGAIN ? 1 : (drop(from), 0);
  if (got == 0) {
    from->finished = 1;
    if (to->finished) return drop(from), 0;
    shutdown(to->fd, SHUT_WR);
    watch(from, EPOLL_CTL_MOD);
    return 1;
  }
  ssize_t sent = send(to->fd, buffer, got, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return drop(from), 0;
  if (sent < 0) sent = 0;
  if (sent == got) return 1;
  to->rest = malloc(got - sent);
  if (!to->rest) die("malloc");
  memcpy(to->rest, buffer + sent, got - sent);
  to->rest_at = 0;
  to->rest_bytes = got - sent;
  watch(from, EPOLL_CTL_MOD);
  watch(to, EPOLL_CTL_MOD);
  return 1;
}

static int on_writable(struct end *to) {
  ssize_t sent = send(to->fd, to->rest + to->rest_at, to->rest_bytes, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 1 : (drop(to), 0);
  to->rest_at += sent;
  to->rest_bytes -= sent;
  if (to->rest_bytes) return 1;
  free(to->rest);
  to->rest = NULL;
  watch(to, EPOLL_CTL_MOD);
  watch(to->peer, EPOLL_CTL_MOD);
  return 1;
}

static void on_event(struct end *e, unsigned events) {
  if (e->fd < 0) return;
  if (e->rest_bytes && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && !on_writable(e)) return;
  if (!e->finished && e->peer->rest_bytes == 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) on_readable(e);
  else if (e->finished && (events & (EPOLLERR | EPOLLHUP))) drop(e);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: floor LISTEN_PORT UPSTREAM_ADDRESS UPSTREAM_PORT\n"), 2;
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = address("127.0.0.1", atoi(argv[1])), upstream_at = address(argv[2], atoi(argv[3]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4096) < 0) die("listen");
  epoll_fd = epoll_create1(0);
  struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &first) < 0) die("epoll_ctl");
  for (;;) {
    int count = epoll_wait(epoll_fd, events, 256, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr) { on_event(events[i].data.ptr, events[i].events); continue; }
      for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) open_pair(fd, &upstream_at);
    }
    while (dead) {
      struct end *e = dead;
      dead = e->next_dead;
      free(e->rest);
      free(e);
    }
  }
}
