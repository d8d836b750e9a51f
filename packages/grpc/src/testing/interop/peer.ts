/**
 * The other libraries in a process of their own, on Node, where their HTTP/2 is another than ours. Built and started by
 * interop.test.ts, and driven through stdin and stdout: one line, one command or answer.
 *
 *   peer grpc-js server [PORT [HOST]]    prints its port; "drain" on stdin drains and prints "drained"
 *   peer connect client PORT [HOST]      runs the scenarios against PORT; prints {name, error} for each
 */
import { createInterface } from "node:readline";
import { connectCaller, serveConnect } from "./connect.ts";
import { grpcJsCaller, serveGrpcJs } from "./grpc-js.ts";
import { SCENARIOS } from "./scenarios.ts";

const [library, role, port = "0", host = "127.0.0.1"] = process.argv.slice(2);

if (role === "server") await serve();
else await call(Number(port));

async function serve(): Promise<void> {
  const server = await (library === "connect" ? serveConnect(Number(port), host) : serveGrpcJs(Number(port), host));
  say(String(server.port));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== "drain") continue;
    await server.drain();
    say("drained");
  }
  server.close();
}

async function call(to: number): Promise<void> {
  const caller = library === "connect" ? connectCaller(to, host) : grpcJsCaller(to, host);
  for (const scenario of SCENARIOS) {
    let error = "";
    try {
      await scenario.run(caller);
    } catch (thrown) {
      error = String(thrown instanceof Error ? thrown.stack : thrown);
    }
    say(JSON.stringify({ name: scenario.name, error }));
  }
  caller.close();
  process.exit(0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
