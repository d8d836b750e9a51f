import { InvalidMessage } from "./invalid-message.ts";

/** What Linkerd's proxy takes for a status: RFC 9110 §15 ends at 599, and says what to do with what is above. */
const STATUS_MIN = 100;
const STATUS_MAX = 999;

export function convertStatus(status: number): number {
  if (status < STATUS_MIN || status > STATUS_MAX) throw new InvalidMessage(`${status} is not a status code`);
  return status;
}
