import { expect, test } from "bun:test";
import { allowedCores, describeMachine, parseCoreList } from "./machine.ts";

const lists: { list: string; want: number[] }[] = [
  { list: "0", want: [0] },
  { list: "0-2,5", want: [0, 1, 2, 5] },
  { list: "3, 7-8", want: [3, 7, 8] },
  { list: "", want: [] },
];
for (const { list, want } of lists) {
  test(`the core list ${JSON.stringify(list)}`, () => {
    expect(parseCoreList(list)).toEqual(want);
  });
}

test("the machine is described without being named", () => {
  const text = describeMachine();
  expect(text).toMatch(/^[0-9]+ cores \(.*\), [0-9]+ GiB, Linux [0-9]+\.[0-9]+$/);
  expect(text.startsWith(`${allowedCores().length} cores`)).toBe(true);
});
