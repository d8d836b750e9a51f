import { describe, expect, test } from "bun:test";
import { FieldList } from "@bowline/wire";
import fc from "fast-check";
import { Metadata } from "./metadata.ts";

function fieldsOf(pairs: readonly (readonly [string, string])[]): FieldList {
  const fields = new FieldList();
  for (const [name, value] of pairs) fields.addText(name, value);
  return fields;
}

describe("Metadata", () => {
  test("names are found in any case, values keep their order", () => {
    const metadata = new Metadata({ "X-One": "1", "x-bytes-bin": Uint8Array.of(1, 2) }).add("x-ONE", "2");
    expect(metadata.get("x-one")).toBe("1");
    expect(metadata.getAll("X-One")).toEqual(["1", "2"]);
    expect(metadata.getBytes("x-bytes-bin")).toEqual(Uint8Array.of(1, 2));
    expect(metadata.size).toBe(3);
    metadata.set("x-one", "3");
    expect([...metadata]).toEqual([
      ["x-bytes-bin", Uint8Array.of(1, 2)],
      ["x-one", "3"],
    ]);
    metadata.delete("x-one");
    expect(metadata.get("x-one")).toBeUndefined();
  });

  const refused: { name: string; value: string | Uint8Array }[] = [
    { name: "", value: "v" },
    { name: "with space", value: "v" },
    { name: ":path", value: "v" },
    { name: "grpc-status", value: "0" },
    { name: "Content-Type", value: "text/plain" },
    { name: "te", value: "trailers" },
    { name: "x-text", value: "line\nbreak" },
    { name: "x-text", value: "ü" },
    { name: "x-text", value: " padded" },
    { name: "x-text", value: Uint8Array.of(1) },
    { name: "x-bin", value: "text" },
  ];

  for (const { name, value } of refused) {
    test(`${JSON.stringify(name)} with ${JSON.stringify(value)} is refused`, () => {
      expect(() => new Metadata().add(name, value)).toThrow(TypeError);
    });
  }

  test("what is the protocol's is not read as metadata", () => {
    const fields = fieldsOf([
      [":path", "/a/b"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["grpc-timeout", "1S"],
      ["grpc-status-details-bin", "AA"],
      ["user-agent", "test"],
      ["l5d-client-id", "someone"],
    ]);
    expect([...Metadata.readFrom(fields)]).toEqual([
      ["user-agent", "test"],
      ["l5d-client-id", "someone"],
    ]);
  });

  test("binary values are read with and without padding, joined by commas, and not when they are no base64", () => {
    const fields = fieldsOf([
      ["a-bin", "AQ=="],
      ["a-bin", "AQI,AQID"],
      ["b-bin", "!"],
    ]);
    expect([...Metadata.readFrom(fields)]).toEqual([
      ["a-bin", Uint8Array.of(1)],
      ["a-bin", Uint8Array.of(1, 2)],
      ["a-bin", Uint8Array.of(1, 2, 3)],
    ]);
  });

  test("what is written is read again", () => {
    const text = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    const entry = fc.oneof(
      fc.tuple(fc.stringMatching(/^x-[a-z0-9_.-]{1,8}x$/), text),
      fc.tuple(
        fc.stringMatching(/^x-[a-z]{1,8}$/).map((name) => `${name}-bin`),
        fc.uint8Array({ maxLength: 40 }),
      ),
    );
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const fields = new FieldList();
        new Metadata(entries).writeTo(fields);
        expect([...Metadata.readFrom(fields)]).toEqual(entries);
      }),
    );
  });
});
