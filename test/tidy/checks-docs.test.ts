import { expect, test } from "bun:test";
import { ALL_CATEGORIES } from "../../packages/cli/src/check/all-checks.ts";
import { hintOf } from "../../packages/cli/src/check/report.ts";
import { readTracked } from "./tracked-files.ts";

test("docs/checks.md has a section for every check, and none for others", () => {
  const wanted = new Set(ALL_CATEGORIES.flatMap(({ checks }) => checks.map(({ anchor }) => hintOf(anchor))));
  const headings = [...readTracked("docs/checks.md").matchAll(/^### (.+)$/gm)].map(([, text = ""]) => hintOf(text));
  expect(headings.filter((heading, i) => headings.indexOf(heading) !== i)).toEqual([]);
  expect([...wanted].filter((anchor) => !headings.includes(anchor))).toEqual([]);
  expect(headings.filter((heading) => !wanted.has(heading))).toEqual([]);
});
