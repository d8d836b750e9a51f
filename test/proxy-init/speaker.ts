/**
 * Runs inside a pod: `bun speaker.ts serve NAME PORT…` answers every connection with "NAME PORT", over IPv4 and IPv6;
 * `bun speaker.ts ask [FROM@]HOST|PORT…` prints each target's answer, or the error's code, as one JSON array.
 */
import { connect, createServer } from "node:net";

const [command, ...args] = process.argv.slice(2);
if (command === "serve") await serve(args[0] ?? "", args.slice(1).map(Number));
else process.stdout.write(JSON.stringify(await Promise.all(args.map(ask))));

async function serve(name: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(`${name} ${port}`);
    });
    await new Promise<void>((resolve) => server.listen(port, "::", resolve));
  }
  process.stdout.write("serving\n");
}

function ask(target: string): Promise<string> {
  const [, localAddress, host = "", port] = /^(?:(.*)@)?(.*)\|(\d+)$/.exec(target) ?? [];
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ host, port: Number(port), ...(localAddress === undefined ? {} : { localAddress }) });
    socket.setTimeout(3_000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (bytes) => (answer += bytes.toString()));
    socket.on("end", () => resolve(answer));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
