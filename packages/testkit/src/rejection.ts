/**
 * The error a promise is rejected with, for `expect(await rejectionOf(…)).toHaveProperty("message", …)`.
 *
 * @throws Error when the promise is fulfilled instead
 */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
  throw new Error(`expected a rejection, got ${String(value)}`);
}
