/** The error that a promise is rejected with; fails when it isn't. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error("the promise was rejected with something that is no error", { cause: error });
  }
  throw new Error("the promise was fulfilled");
}
