import { Errno } from "./errno.ts";
import { addressOf, libc, SYS_RECVFROM, SYS_SENDTO, sysResult } from "./libc.ts";
import { AF_INET, AF_INET6, SOCKADDR_BYTES } from "./sockaddr.ts";

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SOL_IP = 0;
const SOL_IPV6 = 41;
const IPPROTO_TCP = 6;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const IPV6_V6ONLY = 26;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_INFO = 11;
const TCP_USER_TIMEOUT = 18;
/** MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL of the kernel, which refuses more. */
const KEEPALIVE_SECONDS_MAX = 32767;
/** SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST share this number at their two levels. */
const ORIGINAL_DST = 80;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const SHUT_WR = 1;

/** How a connection should be kept and given up; 0 leaves the system's setting. */
export interface TcpOptions {
  /** Idle time before the first keepalive probe, ms; probing is on in any case. */
  readonly keepaliveMs: number;
  /** TCP_USER_TIMEOUT, ms: how long sent bytes may stay unacknowledged. */
  readonly userTimeoutMs: number;
}

// Scratch memory for option values and addresses: a call fills it and reads it before anything else can run.
const ints = new Int32Array(2);
const intsAddress = addressOf(ints);
const lengthWord = new Uint32Array(1);
const lengthAddress = addressOf(lengthWord);
// Addresses come out through here: asking for the address of the caller's array would cost more than the copy.
const sockaddr = new Uint8Array(SOCKADDR_BYTES);
const sockaddrAddress = addressOf(sockaddr);
const tcpInfo = new BigUint64Array(32);
const tcpInfoAddress = addressOf(tcpInfo);
/** offsetof(struct tcp_info, tcpi_bytes_acked) / 8, from linux/tcp.h. */
const TCP_INFO_BYTES_ACKED = 120 / 8;

/**
 * A listening TCP socket: its fd, or -errno. TCP_NODELAY and the keepalive settings are set on the listener, because
 * Linux hands them down to every accepted socket, which saves the calls per connection.
 * @param backlog connections waiting for accept; 0 asks for the system's maximum
 */
export function listenTcp(sockaddr: Uint8Array, backlog: number, reusePort: boolean, options: TcpOptions): number {
  const fd = openTcp(sockaddr[0]!);
  if (fd < 0) return fd;
  setInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (reusePort) setInt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // [::] listens for IPv4 too, whatever the machine's bindv6only says.
  if (sockaddr[0] === AF_INET6) setInt(fd, SOL_IPV6, IPV6_V6ONLY, 0);
  setTcpOptions(fd, options);
  let result = sysResult(libc.bind(fd, addressOf(sockaddr), sockaddr.length));
  if (result === 0) result = sysResult(libc.listen(fd, backlog === 0 ? 0x7fffffff : backlog));
  if (result === 0) return fd;
  closeFd(fd);
  return result;
}

/** A connected or connecting socket: its fd, or -errno when connect failed at once. */
export function connectTcp(sockaddr: Uint8Array, sockaddrAddress: number, options: TcpOptions): number {
  const fd = openTcp(sockaddr[0]!);
  if (fd < 0) return fd;
  setTcpOptions(fd, options);
  const bytes = sockaddr[0] === AF_INET ? 16 : SOCKADDR_BYTES;
  const result = sysResult(libc.connect(fd, sockaddrAddress, bytes));
  if (result === 0 || result === -Errno.EINPROGRESS) return fd;
  closeFd(fd);
  return result;
}

/** The next waiting connection's fd, or -errno (EAGAIN: none). */
export function acceptTcp(listener: number): number {
  return sysResult(libc.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/**
 * Where the connection was going before netfilter redirected it, into `out`; 0 or -errno. ENOENT and ENOPROTOOPT mean
 * that there is no NAT record. The address family is the accepted socket's (mapped IPv4 counts as IPv4); `out` is SOCKADDR_BYTES long.
 */
export function originalDestination(fd: number, overIpv6: boolean, out: Uint8Array): number {
  lengthWord[0] = SOCKADDR_BYTES;
  const level = overIpv6 ? SOL_IPV6 : SOL_IP;
  return copyOut(sysResult(libc.getsockopt(fd, level, ORIGINAL_DST, sockaddrAddress, lengthAddress)), out);
}

/** The socket's own address into `out` (SOCKADDR_BYTES long); 0 or -errno. */
export function localAddress(fd: number, out: Uint8Array): number {
  lengthWord[0] = SOCKADDR_BYTES;
  return copyOut(sysResult(libc.getsockname(fd, sockaddrAddress, lengthAddress)), out);
}

/** The peer's address into `out` (SOCKADDR_BYTES long); 0 or -errno. */
export function peerAddress(fd: number, out: Uint8Array): number {
  lengthWord[0] = SOCKADDR_BYTES;
  return copyOut(sysResult(libc.getpeername(fd, sockaddrAddress, lengthAddress)), out);
}

function copyOut(result: number, out: Uint8Array): number {
  if (result === 0) for (let i = 0; i < SOCKADDR_BYTES; i++) out[i] = sockaddr[i]!;
  return result;
}

/** Bytes received, 0 at the end of the stream, or -errno. */
export function recvInto(fd: number, address: number, bytes: number): number {
  const received = libc.syscall(SYS_RECVFROM, fd, address, bytes, 0, 0, 0);
  return received === -1 ? failed(SYS_RECVFROM, fd, address, bytes, 0) : received;
}

/**
 * Bytes the kernel took, or -errno; never raises SIGPIPE. With `moreComing` it may wait for what comes next, bytes or
 * the close, before it sends the last of them.
 */
export function sendFrom(fd: number, address: number, bytes: number, moreComing = false): number {
  const flags = moreComing ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
  const sent = libc.syscall(SYS_SENDTO, fd, address, bytes, flags, 0, 0);
  return sent === -1 ? failed(SYS_SENDTO, fd, address, bytes, flags) : sent;
}

/** -errno of the call that just failed; one that a signal interrupted is made again. */
function failed(call: number, fd: number, address: number, bytes: number, flags: number): number {
  const result = sysResult(-1);
  return result === -Errno.EINTR ? sysResult(libc.syscall(call, fd, address, bytes, flags, 0, 0)) : result;
}

/** The socket's pending error (SO_ERROR, which reading clears) as a positive errno; 0 when there is none. */
export function socketError(fd: number): number {
  ints[0] = 0;
  lengthWord[0] = 4;
  const result = sysResult(libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, intsAddress, lengthAddress));
  return result < 0 ? -result : ints[0]!;
}

/**
 * Bytes of ours that the peer's kernel has acknowledged since the connection began, or -errno; still there after a
 * reset. As in sequence numbers, the SYN of a socket that connected counts as one, and so does an acknowledged FIN.
 */
export function bytesAcknowledged(fd: number): number {
  lengthWord[0] = tcpInfo.byteLength;
  const result = sysResult(libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, tcpInfoAddress, lengthAddress));
  return result < 0 ? result : Number(tcpInfo[TCP_INFO_BYTES_ACKED]!);
}

/** Sends FIN; bytes may still be received. */
export function shutdownWrite(fd: number): number {
  return sysResult(libc.shutdown(fd, SHUT_WR));
}

/**
 * Closes in the orderly way: what the kernel has taken and FIN still go out. When received bytes are still unread,
 * Linux resets the connection all the same (RFC 9293 §3.6.1 allows it), and drops what was not yet sent.
 */
export function closeTcp(fd: number): void {
  setLinger(fd, 0);
  libc.close(fd);
}

/** Closes with RST; for sockets made here that is what close does unless told otherwise (see setTcpOptions). */
export function resetTcp(fd: number): void {
  libc.close(fd);
}

/** Closes an fd that is not a connection. */
export function closeFd(fd: number): void {
  libc.close(fd);
}

function openTcp(family: number): number {
  return sysResult(libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

function setTcpOptions(fd: number, options: TcpOptions): void {
  // A connection that nobody closes in order ends with RST, also when the whole process is killed: its peer then knows
  // that bytes are missing, where a FIN would look like a complete stream. Accepted sockets inherit it.
  setLinger(fd, 1);
  setInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options.keepaliveMs > 0) {
    const seconds = Math.min(KEEPALIVE_SECONDS_MAX, Math.max(1, Math.round(options.keepaliveMs / 1000)));
    setInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    setInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
  }
  if (options.userTimeoutMs > 0) setInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options.userTimeoutMs);
}

/** SO_LINGER with zero time, on (close sends RST) or off. */
function setLinger(fd: number, on: number): void {
  ints[0] = on;
  ints[1] = 0;
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, intsAddress, 8);
}

function setInt(fd: number, level: number, option: number, value: number): void {
  ints[0] = value;
  libc.setsockopt(fd, level, option, intsAddress, 4);
}
