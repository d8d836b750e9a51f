import { describe, expect, test } from "bun:test";
import type { ControlService } from "../../../config/types.ts";
import { controlAddr, controlAuthority, type Dns, resolveControlService } from "./control-address.ts";

const NAME = "linkerd-dst-headless.linkerd.svc.cluster.local.";

type Srv = Awaited<ReturnType<Dns["srv"]>>;

/** null: there is no such record. */
function dnsOf(srv: Srv | null, ips: readonly string[] | null, asked: string[]): Dns {
  return {
    srv(name) {
      asked.push(`SRV ${name}`);
      return srv === null ? Promise.reject(new Error("ENOTFOUND")) : Promise.resolve(srv);
    },
    addresses(name) {
      asked.push(`A ${name}`);
      return ips === null ? Promise.reject(new Error("ENOTFOUND")) : Promise.resolve(ips);
    },
  };
}

async function resolve(host: string, srv: Srv | null, ips: readonly string[] | null) {
  const asked: string[] = [];
  const counted: string[] = [];
  const service: ControlService = { host, port: 8086, tlsName: null };
  const addresses = await resolveControlService(service, dnsOf(srv, ips, asked), (type, found) =>
    counted.push(`${type} ${found}`),
  ).catch((error: Error) => error.message);
  return { asked, counted, addresses };
}

describe("where the control plane is", () => {
  const rows: {
    name: string;
    host: string;
    srv: Srv | null;
    ips: readonly string[] | null;
    want: Awaited<ReturnType<typeof resolve>>;
  }[] = [
    {
      name: "an address needs no DNS",
      host: "10.0.0.1",
      srv: null,
      ips: null,
      want: { asked: [], counted: [], addresses: [{ ip: "10.0.0.1", port: 8086 }] },
    },
    {
      name: "neither does localhost",
      host: "localhost.",
      srv: null,
      ips: null,
      want: { asked: [], counted: [], addresses: [{ ip: "127.0.0.1", port: 8086 }] },
    },
    {
      name: "SRV records name pods, with their ports",
      host: NAME,
      srv: [
        { name: `10-1-2-3.${NAME}`, port: 8086 },
        { name: `fd00--1.${NAME}`, port: 8087 },
      ],
      ips: ["10.9.9.9"],
      want: {
        asked: [`SRV ${NAME}`],
        counted: ["SRV true"],
        addresses: [
          { ip: "10.1.2.3", port: 8086 },
          { ip: "fd00::1", port: 8087 },
        ],
      },
    },
    {
      name: "without SRV records, addresses with the port of the configuration",
      host: NAME,
      srv: null,
      ips: ["10.1.2.3", "fd00::1"],
      want: {
        asked: [`SRV ${NAME}`, `A ${NAME}`],
        counted: ["SRV false", "A/AAAA true"],
        addresses: [
          { ip: "10.1.2.3", port: 8086 },
          { ip: "fd00::1", port: 8086 },
        ],
      },
    },
    {
      name: "an SRV record of something else than a pod is not followed",
      host: NAME,
      srv: [
        { name: `10-1-2-3.${NAME}`, port: 8086 },
        { name: "ldap.example.", port: 389 },
      ],
      ips: ["10.1.2.4"],
      want: {
        asked: [`SRV ${NAME}`, `A ${NAME}`],
        counted: ["SRV false", "A/AAAA true"],
        addresses: [{ ip: "10.1.2.4", port: 8086 }],
      },
    },
    {
      name: "an empty answer is none",
      host: NAME,
      srv: [],
      ips: null,
      want: {
        asked: [`SRV ${NAME}`, `A ${NAME}`],
        counted: ["SRV false", "A/AAAA false"],
        addresses: `cannot resolve ${NAME}: ENOTFOUND`,
      },
    },
  ];
  test.each(rows)("$name", async ({ host, srv, ips, want }) => {
    expect(await resolve(host, srv, ips)).toEqual(want);
  });
});

describe("how it is named", () => {
  const rows: { host: string; port: number; addr: string; authority: string }[] = [
    { host: "a.b.", port: 8086, addr: "a.b:8086", authority: "a.b:8086" },
    { host: "a.b.", port: 80, addr: "a.b:80", authority: "a.b" },
    { host: "10.0.0.1", port: 8090, addr: "10.0.0.1:8090", authority: "10.0.0.1:8090" },
    { host: "fd00::1", port: 80, addr: "[fd00::1]:80", authority: "[fd00::1]" },
    { host: "fd00::80", port: 8080, addr: "[fd00::80]:8080", authority: "[fd00::80]:8080" },
  ];
  test.each(rows)("$host port $port", ({ host, port, addr, authority }) => {
    const service = { host, port, tlsName: null };
    expect([controlAddr(service), controlAuthority(service)]).toEqual([addr, authority]);
  });
});
