import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { commandOptions } from "./command-options.ts";
import type { ContainerRef, ContainerSession, PodStreamKind, StreamTargets } from "./pod-streams.ts";
import { forwardPorts } from "./port-forward.ts";
import { commandBySpdy } from "./spdy-command.ts";
import { commandByWebSocket } from "./web-socket-command.ts";
import { ByteTunnel } from "./websocket/byte-tunnel.ts";
import { acceptKey, WebSocketConnection } from "./websocket/web-socket.ts";

/** A request for one of a pod's streams, allowed already, and what node's `upgrade` event gives with it. */
export interface PodUpgrade {
  readonly kind: PodStreamKind;
  readonly container: ContainerRef;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly query: URLSearchParams;
}

const SPDY = "SPDY/3.1";
const SPDY_PROTOCOL_HEADER = "X-Stream-Protocol-Version";
const SPDY_PROTOCOLS: Readonly<Record<PodStreamKind, string>> = {
  portforward: "portforward.k8s.io",
  exec: "v4.channel.k8s.io",
  attach: "v4.channel.k8s.io",
};
const COMMAND_WEB_SOCKET_PROTOCOLS: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** SPDY's bytes in binary messages: what kubectl tries first since 1.31. */
const TUNNEL_PROTOCOL = `${SPDY}+${SPDY_PROTOCOLS.portforward}`;

/**
 * Answers an upgrade to SPDY/3.1 or to a WebSocket and serves it to its end; 400 and 403 as Kubernetes words them when it is
 * neither. Resolves when the connection is over, however that came about.
 */
export async function upgradePodStream(targets: StreamTargets, upgrade: PodUpgrade): Promise<void> {
  const { request, socket, head } = upgrade;
  socket.on("error", () => {});
  if (head.length > 0) socket.unshift(head);
  try {
    switch (request.headers.upgrade?.toLowerCase()) {
      case "spdy/3.1":
        await serveSpdy(targets, upgrade);
        break;
      case "websocket":
        await serveWebSocket(targets, upgrade);
        break;
      default:
        refuse(
          socket,
          400,
          `unable to upgrade: missing upgrade headers in request: ${JSON.stringify(request.headers)}`,
        );
    }
  } catch {
    // The client went away or broke the protocol: there is nobody left to tell.
    socket.destroy();
  }
}

async function serveSpdy(targets: StreamTargets, upgrade: PodUpgrade): Promise<void> {
  const { kind, request, socket } = upgrade;
  const protocol = SPDY_PROTOCOLS[kind];
  const offered = offeredProtocols(request.headers[SPDY_PROTOCOL_HEADER.toLowerCase()]);
  if (!offered.includes(protocol)) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${protocol}]`;
    return refuse(socket, 403, message);
  }
  accept(socket, { Upgrade: SPDY, [SPDY_PROTOCOL_HEADER]: protocol });
  if (kind === "portforward") await forwardPorts(socket, dialer(targets, upgrade));
  else await commandBySpdy(socket, commandOptions(upgrade.query), opener(targets, upgrade));
}

async function serveWebSocket(targets: StreamTargets, upgrade: PodUpgrade): Promise<void> {
  const { kind, request, socket } = upgrade;
  const key = request.headers["sec-websocket-key"];
  if (key === undefined || request.headers["sec-websocket-version"] !== "13") {
    return refuse(socket, 400, "unable to upgrade: not a WebSocket handshake of version 13");
  }
  const supported = kind === "portforward" ? [TUNNEL_PROTOCOL] : COMMAND_WEB_SOCKET_PROTOCOLS;
  const offered = offeredProtocols(request.headers["sec-websocket-protocol"]);
  const protocol = offered.find((name) => supported.includes(name));
  if (protocol === undefined) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${supported.join(" ")}]`;
    return refuse(socket, 403, message);
  }
  accept(socket, { Upgrade: "websocket", "Sec-WebSocket-Accept": acceptKey(key), "Sec-WebSocket-Protocol": protocol });
  const connection = new WebSocketConnection(socket);
  if (kind === "portforward") await forwardPorts(new ByteTunnel(connection), dialer(targets, upgrade));
  else await commandByWebSocket(connection, commandOptions(upgrade.query), opener(targets, upgrade));
}

function dialer(targets: StreamTargets, { container }: PodUpgrade): (port: number) => Promise<Duplex> {
  return (port) => targets.dialPod(container.namespace, container.pod, port);
}

function opener(
  targets: StreamTargets,
  { kind, container, query }: PodUpgrade,
): () => ContainerSession | Promise<ContainerSession> {
  const { command, tty, stdin } = commandOptions(query);
  return () =>
    kind === "exec" ? targets.exec(container, command, { tty, stdin }) : targets.attach(container, { tty, stdin });
}

function offeredProtocols(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(",") : (header ?? "");
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function accept(socket: Duplex, headers: Readonly<Record<string, string>>): void {
  const lines = Object.entries({ Connection: "Upgrade", ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
}

/** With a plain text body: clients show it as it is. */
function refuse(socket: Duplex, code: 400 | 403, message: string): void {
  const reason = code === 400 ? "Bad Request" : "Forbidden";
  socket.end(
    `HTTP/1.1 ${code} ${reason}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
  );
}
