import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fieldListOf, fieldTexts } from "./field-texts.ts";
import { FieldList } from "./fields.ts";
import { NameId } from "./name-id.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("FieldList", () => {
  test("keeps fields in order, named by id or by bytes", () => {
    const list = new FieldList();
    list.add(NameId.Path, null, bytes("/a"));
    list.add(NameId.Other, bytes("x-a"), bytes(""));
    list.addText("grpc-status", "0");
    const source = bytes("..cookie=secret..");
    list.addRange(NameId.Cookie, source, 2, 8, source, 9, 15, true);
    expect(fieldTexts(list)).toEqual([":path: /a", "x-a: ", "grpc-status: 0", "!cookie: secret"]);
    expect([0, 1, 2, 3].map((index) => list.nameId(index))).toEqual([
      NameId.Path,
      NameId.Other,
      NameId.GrpcStatus,
      NameId.Cookie,
    ]);
    expect(list.listBytes).toBe(":path/a".length + "x-a".length + "grpc-status0".length + "cookiesecret".length + 128);
  });

  test("a dropped field is gone for find, copies and the list's size", () => {
    const list = fieldListOf([
      ["te", "trailers"],
      ["a", "b"],
      ["te", "gzip"],
    ]);
    list.drop(0);
    list.drop(0);
    expect(list.find(NameId.Te)).toBe(2);
    expect(list.listBytes).toBe("abtegzip".length + 64);
    const copy = new FieldList();
    copy.copyFrom(list);
    expect(fieldTexts(copy)).toEqual(["a: b", "te: gzip"]);
    expect(copy.listBytes).toBe(list.listBytes);
    expect(copy.find(NameId.Host)).toBe(-1);
  });

  test.each([
    ["gzip", true],
    ["gzi", false],
    ["gzipp", false],
    ["gzap", false],
    ["", false],
  ])("valueIs(%p)", (value, same) => {
    expect(fieldListOf([["content-encoding", "gzip"]]).valueIs(0, bytes(value))).toBe(same);
  });

  test("a cleared list is as new", () => {
    const list = fieldListOf([["a", "b"]]);
    list.drop(0);
    list.clear();
    list.addText("c", "d");
    expect(fieldTexts(list)).toEqual(["c: d"]);
    expect(list.listBytes).toBe(34);
  });

  test("a shared list refuses every change", () => {
    const list = fieldListOf([["a", "b"]]);
    list.share();
    const changes = [
      () => list.clear(),
      () => list.drop(0),
      () => list.share(),
      () => list.addText("c", "d"),
      () => list.copyFrom(new FieldList()),
    ];
    for (const change of changes) expect(change).toThrow();
    expect(fieldTexts(list)).toEqual(["a: b"]);
  });

  test("shared lists have serials of their own", () => {
    const [a, b] = [new FieldList(), new FieldList()];
    a.share();
    b.share();
    expect(a.serial).not.toBe(b.serial);
  });

  test("what goes in comes out, whatever the sizes", () => {
    const text = fc.uint8Array({ maxLength: 120 }).map((chars) => Buffer.from(chars).toString("latin1"));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 60, size: "max" }), (fields) => {
        const list = fieldListOf(fields);
        const copy = list.sharedCopy(7);
        for (const each of [list, copy]) {
          expect(fieldTexts(each)).toEqual(fields.map(([name, value]) => `${name}: ${value}`));
        }
        expect(copy.bytes.length).toBe(copy.end + 7);
        expect(copy.entries.length).toBe(fields.length * 4);
      }),
    );
  });
});
