/** Lets what is on its way happen until the condition holds; a test that never gets there fails by its timeout. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** What is on its way between two ends in memory has arrived, and been answered, after some turns of the event loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
