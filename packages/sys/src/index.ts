export {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  Epoll,
} from "./epoll.ts";
export { Errno, errnoName } from "./errno.ts";
export { addressOf, copyBytes } from "./libc.ts";
export { raiseOpenFilesLimit } from "./limits.ts";
export { enterNetNamespace, NetNamespaceHandle } from "./netns.ts";
export { openPipe, type Pipe, spliceBytes } from "./pipe.ts";
export {
  AF_INET,
  AF_INET6,
  encodeSockaddr,
  formatAddress,
  ipv4Key,
  isIpv4,
  isLoopback,
  SOCKADDR_BYTES,
  sockaddrIp,
  sockaddrPort,
} from "./sockaddr.ts";
export {
  acceptTcp,
  bytesAcknowledged,
  closeFd,
  closeTcp,
  connectTcp,
  listenTcp,
  localAddress,
  originalDestination,
  peerAddress,
  recvInto,
  resetTcp,
  sendFrom,
  shutdownWrite,
  socketError,
  type TcpOptions,
} from "./socket.ts";
export { releaseStartupPages } from "./startup-pages.ts";
export { clearWakeup, openWakeup, wake } from "./wakeup.ts";
