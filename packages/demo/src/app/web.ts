import { createServer, type ServerResponse } from "node:http";

// A shop's web server. It knows nothing of proxies. Usage: bun web.ts PORT

interface Page {
  /** How long the work behind the page takes, ms: drawn evenly from this range. */
  readonly workMs: readonly [min: number, max: number];
  /** Every so many requests the page fails; 0 for never. */
  readonly failsEvery: number;
}

const PAGES: Readonly<Record<string, Page>> = {
  "/": { workMs: [0, 0], failsEvery: 0 },
  "/search": { workMs: [4, 12], failsEvery: 0 },
  "/checkout": { workMs: [15, 40], failsEvery: 10 },
  "/report": { workMs: [60, 95], failsEvery: 0 },
};

const served = new Map<string, number>();

const server = createServer((request, response) => {
  const path = request.url ?? "/";
  const page = PAGES[path];
  if (page === undefined) {
    answer(response, 404, "no such page\n");
    return;
  }
  const count = (served.get(path) ?? 0) + 1;
  served.set(path, count);
  const fails = page.failsEvery > 0 && count % page.failsEvery === 0;
  const [min, max] = page.workMs;
  const finish = (): void => answer(response, fails ? 500 : 200, fails ? "out of luck\n" : `this is ${path}\n`);
  if (max === 0) finish();
  else setTimeout(finish, min + Math.random() * (max - min));
});

const port = Number(process.argv[2]);
server.listen(port, () => console.log(`serving on port ${port}`));

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
