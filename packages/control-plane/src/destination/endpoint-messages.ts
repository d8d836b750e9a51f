import { destination } from "@bowline/contracts/proto";
import { encodeMessage, frameMessage } from "@bowline/grpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { addressMessage } from "./ip.ts";
import type { WeightedAddrInit } from "./weighted-addr.ts";

/** Addresses in one message: some hundred kilobytes, well below what clients take. */
const ADDRESSES_MAX = 1_000;

const UPDATE = fieldNumbers(destination.UpdateSchema);
const SET = fieldNumbers(destination.WeightedAddrSetSchema);

/** An endpoint as it goes into an `add`: made once, and compared to tell whether it has changed. */
export function encodeEndpoint(endpoint: WeightedAddrInit): Uint8Array {
  return toBinary(destination.WeightedAddrSchema, create(destination.WeightedAddrSchema, endpoint));
}

/** The labels that all endpoints of a set have, as they go into an `add`. */
export function encodeLabels(metricLabels: Readonly<Record<string, string>>): Uint8Array {
  const schema = destination.WeightedAddrSetSchema;
  return toBinary(schema, create(schema, { metricLabels }));
}

/** Framed updates that add encoded endpoints. */
export function addMessages(endpoints: readonly Uint8Array[], labels: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < endpoints.length; at += ADDRESSES_MAX) {
    const set = new BinaryWriter();
    for (const endpoint of endpoints.slice(at, at + ADDRESSES_MAX)) {
      set.tag(SET("addrs"), WireType.LengthDelimited).bytes(endpoint);
    }
    // Encoded messages of the same type may be put one after another: their fields add up.
    const update = new BinaryWriter().tag(UPDATE("add"), WireType.LengthDelimited).bytes(set.raw(labels).finish());
    messages.push(frameMessage(update.finish()));
  }
  return messages;
}

export function removeMessage(addresses: readonly { readonly ip: string; readonly port: number }[]): Uint8Array {
  const addrs = addresses.map(({ ip, port }) => addressMessage(ip, port));
  return encodeMessage(destination.UpdateSchema, { update: { case: "remove", value: { addrs } } });
}

/** There are no endpoints; whether there is a service that could have some. */
export function noEndpointsMessage(exists: boolean): Uint8Array {
  return encodeMessage(destination.UpdateSchema, { update: { case: "noEndpoints", value: { exists } } });
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function fieldNumbers(schema: { readonly fields: readonly { readonly name: string; readonly number: number }[] }) {
  return (name: string): number => {
    const field = schema.fields.find((one) => one.name === name);
    if (field === undefined) throw new Error(`no field ${name}`);
    return field.number;
  };
}
