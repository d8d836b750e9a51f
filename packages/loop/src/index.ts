export {
  addressOf,
  clearWakeup,
  closeFd,
  EPOLLIN,
  Errno,
  encodeSockaddr,
  errnoName,
  formatAddress,
  ipv4Key,
  isIpv4,
  isLoopback,
  listenTcp,
  localAddress,
  openWakeup,
  type Pipe,
  raiseOpenFilesLimit,
  releaseStartupPages,
  SOCKADDR_BYTES,
  sockaddrIp,
  sockaddrPort,
  type TcpOptions,
  wake,
} from "@bowline/sys";
export { BUF_BYTES_MAX, Buf, BufPool } from "./buffer.ts";
export type { Destination, Io } from "./io.ts";
export { LinuxIo } from "./linux-io.ts";
export { Reactor, Source, type TurnEnd } from "./reactor.ts";
export { type ByteCounter, type Meter, Stream, type StreamOwner, unmetered, WriteResult } from "./stream.ts";
export { Timer, type TimerOwner, TimerWheel } from "./timer-wheel.ts";
