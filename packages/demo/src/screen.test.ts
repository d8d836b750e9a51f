import { expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import { Screen } from "./screen.ts";

function recorder(terminal: { isTTY?: boolean; columns?: number }): { screen: Screen; text: () => string } {
  let text = "";
  const write = (more: string): void => {
    text += more;
  };
  return { screen: new Screen({ ...terminal, write }), text: () => text };
}

test("without a terminal, tables are appended below one head", () => {
  const { screen, text } = recorder({});
  screen.table("head", ["a", "b"], 1);
  screen.table("head", ["c", "d"], 2);
  expect(text()).toBe(["          head", "     1 s  a", "     1 s  b", "     2 s  c", "     2 s  d", ""].join("\n"));
});

test("on a terminal, a table takes the place of the one before", () => {
  const { screen, text } = recorder({ isTTY: true, columns: 0 });
  screen.table("head", ["a", "b"], 1);
  const before = text();
  expect(before).toBe("     1 s\nhead\na\nb\n");
  screen.table("head", ["c", "d"], 2);
  expect(text().slice(before.length)).toBe("\x1b[4A\x1b[J     2 s\nhead\nc\nd\n");
});

test("no line is wider than the terminal", () => {
  const { screen, text } = recorder({ isTTY: true, columns: 30 });
  screen.table("head".padEnd(100), ["row".padEnd(100)], 1);
  expect(
    Math.max(
      ...text()
        .split("\n")
        .map((line) => line.length),
    ),
  ).toBe(29);
});

test("a step tells its time, or that it failed", async () => {
  const { screen, text } = recorder({});
  expect(await screen.step("one", () => Promise.resolve(1))).toBe(1);
  const failing = screen.step("two", () => Promise.reject(new Error("no")));
  expect(await rejectionOf(failing)).toHaveProperty("message", "no");
  expect(text()).toMatch(/^ {2}\d\.\d\d s {2}one {2}\(\d+ ms\)\n {2}\d\.\d\d s {2}two {2}failed\n$/);
});
