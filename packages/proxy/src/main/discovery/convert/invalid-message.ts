/** A message of the control plane that cannot be acted upon; the text says where in it, and why. */
export class InvalidMessage extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidMessage";
  }
}

/** Names the part of the message that `convert` is about in whatever it finds invalid: `invalid backend: missing queue`. */
export function within<T>(part: string, convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    throw error instanceof InvalidMessage ? new InvalidMessage(`invalid ${part}: ${error.message}`) : error;
  }
}

/** The value, which must be there. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new InvalidMessage(`missing ${name}`);
  return value;
}

/** What `convert` makes of a value that need not be there, and need not be valid; why it is not goes to `note`. */
export function lenient<T, R>(value: T | undefined, note: (text: string) => void, convert: (value: T) => R): R | null {
  if (value === undefined) return null;
  try {
    return convert(value);
  } catch (error) {
    if (!(error instanceof InvalidMessage)) throw error;
    note(error.message);
    return null;
  }
}
