import type { Answer } from "dns-packet";

/** What gets through any network unfragmented (DNS flag day 2020). */
export const UDP_BYTES_MAX = 1_232;

/** RFC 6891 §6.1: says how large an answer by UDP may be. */
export const OPT: Answer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: UDP_BYTES_MAX,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};
