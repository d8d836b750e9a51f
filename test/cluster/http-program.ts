/** A container's command: answers every request with the pod's name, $WORD (or "none") and what was asked for. */
export function httpProgram(port: number): readonly string[] {
  const program = `
    const { hostname } = require("node:os");
    const word = process.env.WORD ?? "none";
    Bun.serve({
      port: ${port},
      fetch: (request) => new Response(hostname() + " " + word + " " + request.url.replace(/^https?:..[^/]*/, "")),
    });
    process.on("SIGTERM", () => process.exit(0));
  `;
  return [process.execPath, "-e", program];
}
