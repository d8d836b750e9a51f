// The HTTP/2 backend: answers every request with the same frames, whatever was asked. It decodes no header block and
// keeps nothing about a stream but what is left to send, so that it takes little of the core it shares with the load
// generator. usage: h2-backend ADDRESS FIRST_PORT COUNT small|grpc-unary|grpc-stream|held
//
//   small        a response of 37 bytes
//   grpc-unary   one message of 32 bytes, then trailers
//   grpc-stream  100 messages of 32 bytes, then trailers; streams take turns, one message each
//   held         a response head once the request's head is there, and nothing more
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { HEADER_TABLE_SIZE = 1, INITIAL_WINDOW_SIZE = 4 };
enum { FRAME_HEAD = 9, PREFACE = 24, PIECE_MAX = 512, IN_BYTES = 32768, STREAM_MESSAGES = 100, CREDIT = 1 << 30 };

// A stream with something left to send, in the connection's ring.
struct answer {
  uint32_t stream;
  int sent; // pieces
};

struct connection {
  int fd, preface_left, knows_head, knows_trailers, waits_for_room;
  int64_t window, received;
  struct answer *ring;
  uint32_t ring_size, first, count;
  size_t in_bytes, out_at, out_bytes;
  unsigned char in[IN_BYTES], out[3 * IN_BYTES]; // the last third of `out` is for acknowledgements, no longer than what they answer
};

static int epoll_fd, grpc, messages, held;
static const char small_body[] = "hello from the backend of this bench\n";
static const char message[] = "\0\0\0\0\x20" "a message of thirty-two bytes...";

static void die(const char *what) { perror(what); exit(1); }
static void give_up(const char *why) { fprintf(stderr, "h2-backend: %s\n", why); exit(1); }

static uint32_t read32(const unsigned char *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }

static void frame(struct connection *c, int type, int flags, uint32_t stream, const void *payload, size_t bytes) {
  unsigned char *at = c->out + c->out_bytes;
  unsigned char head[FRAME_HEAD] = {bytes >> 16, bytes >> 8, bytes, type, flags, stream >> 24, stream >> 16, stream >> 8, stream};
  memcpy(at, head, FRAME_HEAD);
  if (bytes > 0) memcpy(at + FRAME_HEAD, payload, bytes);
  c->out_bytes += FRAME_HEAD + bytes;
}

static void window_update(struct connection *c, uint32_t increment) {
  unsigned char payload[4] = {increment >> 24, increment >> 16, increment >> 8, increment};
  frame(c, WINDOW_UPDATE, 0, 0, payload, sizeof payload);
}

// As servers do: the fields that repeat go into the dynamic table the first time and are indexes from then on (RFC 7541
// §6.1, §6.2.1); content-length stays a literal. The trailer, once in the table, moves the others down by one.
static void response_head(struct connection *c, uint32_t stream) {
  static const char first_small[] = "\x88" "\x5f\x0a" "text/plain" "\x61\x1d" "Thu, 01 Jan 2026 00:00:00 GMT" "\x76\x05" "bench" "\x0f\x0d\x02" "37";
  static const char later_small[] = "\x88\xc0\xbf\xbe\x0f\x0d\x02" "37";
  static const char first_grpc[] = "\x88" "\x5f\x10" "application/grpc";
  const char *block = c->knows_head ? later_small : first_small;
  size_t bytes = c->knows_head ? sizeof later_small - 1 : sizeof first_small - 1;
  if (grpc) {
    block = !c->knows_head ? first_grpc : c->knows_trailers ? "\x88\xbf" : "\x88\xbe";
    bytes = c->knows_head ? 2 : sizeof first_grpc - 1;
  }
  c->knows_head = 1;
  frame(c, HEADERS, END_HEADERS, stream, block, bytes);
}

static void trailers(struct connection *c, uint32_t stream) {
  static const char first[] = "\x40\x0b" "grpc-status" "\x01" "0";
  if (c->knows_trailers) frame(c, HEADERS, END_HEADERS | END_STREAM, stream, "\xbe", 1);
  else frame(c, HEADERS, END_HEADERS | END_STREAM, stream, first, sizeof first - 1);
  c->knows_trailers = 1;
}

// Returns whether the stream is through.
static int send_piece(struct connection *c, struct answer *a) {
  if (a->sent == 0) response_head(c, a->stream);
  a->sent++;
  if (held) return 1;
  size_t bytes = grpc ? sizeof message - 1 : sizeof small_body - 1;
  c->window -= bytes;
  frame(c, DATA, grpc ? 0 : END_STREAM, a->stream, grpc ? message : small_body, bytes);
  if (a->sent < messages) return 0;
  if (grpc) trailers(c, a->stream);
  return 1;
}

static void enqueue(struct connection *c, struct answer a) {
  if (c->count == c->ring_size) {
    uint32_t size = c->ring_size ? c->ring_size * 2 : 64;
    struct answer *ring = malloc(size * sizeof *ring);
    if (!ring) die("malloc");
    for (uint32_t i = 0; i < c->count; i++) ring[i] = c->ring[(c->first + i) % c->ring_size];
    free(c->ring);
    c->ring = ring, c->ring_size = size, c->first = 0;
  }
  c->ring[(c->first + c->count++) % c->ring_size] = a;
}

static void watch(struct connection *c, int op) {
  struct epoll_event event = {.events = EPOLLIN | (c->waits_for_room ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll_fd, op, c->fd, &event) < 0) die("epoll_ctl");
}

// Returns whether all is out. Errors show up as an end when reading.
static int flush(struct connection *c) {
  while (c->out_at < c->out_bytes) {
    ssize_t sent = send(c->fd, c->out + c->out_at, c->out_bytes - c->out_at, MSG_NOSIGNAL);
    if (sent <= 0) break;
    c->out_at += sent;
  }
  int empty = c->out_at == c->out_bytes;
  if (empty) c->out_at = c->out_bytes = 0;
  if (c->waits_for_room != !empty) c->waits_for_room = !empty, watch(c, EPOLL_CTL_MOD);
  return empty;
}

static void answer_all(struct connection *c) {
  do {
    while (c->count > 0 && c->window >= PIECE_MAX && c->out_bytes + PIECE_MAX < 2 * IN_BYTES) {
      struct answer a = c->ring[c->first];
      c->first = (c->first + 1) % c->ring_size, c->count--;
      if (!send_piece(c, &a)) enqueue(c, a);
    }
  } while (flush(c) && c->count > 0 && c->window >= PIECE_MAX);
}

static void on_settings(struct connection *c, const unsigned char *at, size_t bytes) {
  for (size_t i = 0; i + 6 <= bytes; i += 6) {
    int id = at[i] << 8 | at[i + 1];
    uint32_t value = read32(at + i + 2);
    if (id == HEADER_TABLE_SIZE && value < 4096) give_up("the peer's header table is too small");
    if (id == INITIAL_WINDOW_SIZE && value < STREAM_MESSAGES * sizeof message) give_up("the peer's stream window is too small");
  }
  frame(c, SETTINGS, ACK, 0, NULL, 0);
}

static void on_frame(struct connection *c, int type, int flags, uint32_t stream, const unsigned char *at, size_t bytes) {
  if (type == HEADERS || type == DATA) {
    if (type == HEADERS && !(flags & END_HEADERS)) give_up("a head in several frames");
    if (type == DATA) c->received += bytes;
    if (c->received >= CREDIT) window_update(c, c->received), c->received = 0;
    if (held ? type == HEADERS : flags & END_STREAM) enqueue(c, (struct answer){.stream = stream});
  } else if (type == SETTINGS && !(flags & ACK)) on_settings(c, at, bytes);
  else if (type == PING && !(flags & ACK)) frame(c, PING, ACK, 0, at, bytes);
  else if (type == WINDOW_UPDATE && stream == 0) c->window += read32(at) & 0x7fffffff;
  else if (type == GOAWAY && read32(at + 4) != 0) give_up("the peer sent GOAWAY with an error");
}

static void on_bytes(struct connection *c) {
  size_t at = 0;
  if (c->preface_left > 0) {
    at = c->in_bytes < (size_t)c->preface_left ? c->in_bytes : (size_t)c->preface_left;
    c->preface_left -= at;
  }
  while (c->in_bytes - at >= FRAME_HEAD) {
    const unsigned char *head = c->in + at;
    size_t bytes = head[0] << 16 | head[1] << 8 | head[2];
    if (bytes > sizeof c->in - FRAME_HEAD) give_up("a frame that is too large");
    if (c->in_bytes - at < FRAME_HEAD + bytes) break;
    if (c->out_bytes + FRAME_HEAD + bytes > sizeof c->out && !flush(c)) give_up("the peer reads no acknowledgements");
    on_frame(c, head[3], head[4], read32(head + 5) & 0x7fffffff, head + FRAME_HEAD, bytes);
    at += FRAME_HEAD + bytes;
  }
  memmove(c->in, c->in + at, c->in_bytes - at);
  c->in_bytes -= at;
}

static void on_ready(struct connection *c, uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    ssize_t got = recv(c->fd, c->in + c->in_bytes, sizeof c->in - c->in_bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      close(c->fd);
      free(c->ring);
      free(c);
      return;
    }
    if (got > 0) c->in_bytes += got, on_bytes(c);
  }
  answer_all(c);
}

static void accept_one(int listener) {
  int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *c = malloc(sizeof *c);
  if (!c) die("malloc");
  memset(c, 0, offsetof(struct connection, in));
  c->fd = fd, c->preface_left = PREFACE, c->window = 65535;
  // A window that no request fills, and unlimited streams, which is the default.
  frame(c, SETTINGS, 0, 0, "\0\x04\x7f\xff\xff\xff", 6);
  window_update(c, 0x7fffffff - 65535);
  watch(c, EPOLL_CTL_ADD);
  flush(c);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  grpc = strncmp(argv[4], "grpc-", 5) == 0;
  held = strcmp(argv[4], "held") == 0;
  messages = strcmp(argv[4], "grpc-stream") == 0 ? STREAM_MESSAGES : 1;
  epoll_fd = epoll_create1(0);
  static int listeners[64];
  for (int i = 0; i < atoi(argv[3]) && i < 64; i++) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]) + i), .sin_addr.s_addr = inet_addr(argv[1])};
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) die("listen");
    listeners[i] = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[i]};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  }
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll_fd, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      int *listener = events[i].data.ptr;
      if (listener >= listeners && listener < listeners + 64) accept_one(*listener);
      else on_ready(events[i].data.ptr, events[i].events);
    }
  }
}
