import { describe, expect, test } from "bun:test";
import { judgeHttp1, loadHttp1Corpus, parseCase } from "@bowline/testkit";

const corpus = loadHttp1Corpus();

describe("corpus of smuggling and malformed messages", () => {
  test.each(corpus.map((row) => [row.name, row] as const))("%s", (_name, row) => {
    const { verdict, reason } = judgeHttp1(row.bytes, row.kind);
    expect({ verdict, reason }).toEqual({ verdict: row.verdict, reason: row.reason });
  });

  test("a request hidden in a body is no message of its own, and a pipelined one is", () => {
    const messages = (name: string): number =>
      judgeHttp1(corpus.find((row) => row.name === name)!.bytes, "request").messages;
    expect(messages("cl-te-hidden-request")).toBe(0);
    expect(messages("pipelined")).toBe(2);
    expect(messages("te-chunked-pipelined")).toBe(2);
  });
});

describe("parseCase", () => {
  const head = "title: t\nverdict: accept\nrfc: r\nnginx: accept 200\nhaproxy: reject 400 or accept 200";

  test("reads escapes and lays lines end to end", () => {
    const row = parseCase("n", `${head}\n\na\\r\\n\n b\\x00\\t\\\\@{3*xy}\n`);
    expect(Buffer.from(row.bytes).toString("latin1")).toBe("a\r\n b\0\t\\xyxyxy");
    expect(row).toMatchObject({
      kind: "request",
      nginx: [{ verdict: "accept", status: 200 }],
      haproxy: [{ status: 400 }, { status: 200 }],
    });
  });

  test.each([
    ["no bytes", head],
    ["no title", "verdict: accept\n\nx"],
    ["an unknown key", `${head}\ncolour: red\n\nx`],
    ["a reject without a reason", `${head.replace("verdict: accept", "verdict: reject")}\n\nx`],
    ["an unknown answer", `${head.replace("accept 200", "maybe")}\n\nx`],
    ["an unknown escape", `${head}\n\n\\q`],
  ])("refuses %s", (_name, text) => {
    expect(() => parseCase("n", text)).toThrow();
  });
});
