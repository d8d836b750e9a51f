import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { joinLabels, type LabelPair, labels, parseLabels } from "./labels.ts";

const rows: { name: string; pairs: LabelPair[]; want: string }[] = [
  { name: "none", pairs: [], want: "" },
  {
    name: "an accepted connection as Linkerd labels it",
    pairs: [
      ["direction", "inbound"],
      ["peer", "src"],
      ["target_addr", "192.0.2.4:40000"],
      ["target_ip", "192.0.2.4"],
      ["target_port", "40000"],
      ["tls", "true"],
      ["client_id", "foo.id.example.com"],
      ["srv_group", "policy.linkerd.io"],
      ["srv_kind", "server"],
      ["srv_name", "testserver"],
      ["srv_port", "40000"],
    ],
    want: 'direction="inbound",peer="src",target_addr="192.0.2.4:40000",target_ip="192.0.2.4",target_port="40000",tls="true",client_id="foo.id.example.com",srv_group="policy.linkerd.io",srv_kind="server",srv_name="testserver",srv_port="40000"',
  },
  { name: "empty value", pairs: [["errno", ""]], want: 'errno=""' },
  { name: "escapes", pairs: [["a", 'x"y\\z\nw']], want: 'a="x\\"y\\\\z\\nw"' },
  { name: "other bytes stay", pairs: [["a", "\r\t{},=é\u{1f600}"]], want: 'a="\r\t{},=é\u{1f600}"' },
  { name: "lone surrogate", pairs: [["a", "x\ud800"]], want: 'a="x\ufffd"' },
];

describe("labels", () => {
  for (const { name, pairs, want } of rows) {
    test(name, () => {
      expect(labels(pairs)).toBe(want);
    });
  }

  test("joining skips empty texts", () => {
    expect(joinLabels("", 'a="1"', "", 'b="2"', "")).toBe('a="1",b="2"');
    expect(joinLabels("", "")).toBe("");
  });

  test("parseLabels reads back what labels wrote", () => {
    const pair = fc.tuple(fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 5 }), (pairs) => {
        expect(parseLabels(labels(pairs))).toEqual(pairs);
      }),
    );
  });

  test.each([['a="1"x'], ["a=1"], ['a="1'], ['1a="x"'], ['a="1",,b="2"'], [","], ['a="\\"']])(
    "not label text: %s",
    (text) => {
      expect(parseLabels(text)).toBeNull();
    },
  );

  test("a trailing comma is allowed", () => {
    expect(parseLabels('a="1",')).toEqual([["a", "1"]]);
  });
});
