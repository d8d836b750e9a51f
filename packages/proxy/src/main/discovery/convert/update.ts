import type { destination } from "@bowline/contracts/proto";
import { type EndpointMeta, endpointKey } from "@bowline/model";
import { convertAddress } from "./address.ts";
import { convertEndpoint } from "./endpoint-meta.ts";

/** One step of a resolution. Addresses that nothing could connect to are left out. */
export type ResolutionStep =
  | { readonly kind: "add"; readonly endpoints: readonly EndpointMeta[] }
  /** Addresses as endpointKey writes them. */
  | { readonly kind: "remove"; readonly keys: readonly string[] }
  | { readonly kind: "none"; readonly exists: boolean };

/** null when the message says nothing. */
export function convertUpdate({ update }: destination.Update, note: (text: string) => void): ResolutionStep | null {
  switch (update.case) {
    case "add": {
      const { addrs, metricLabels } = update.value;
      const endpoints = addrs.map((one) => convertEndpoint(one, metricLabels, note)).filter((one) => one !== null);
      return { kind: "add", endpoints };
    }
    case "remove": {
      const addresses = update.value.addrs.map(convertAddress).filter((address) => address !== null);
      return { kind: "remove", keys: addresses.map(endpointKey) };
    }
    case "noEndpoints":
      return { kind: "none", exists: update.value.exists };
    case undefined:
      return null;
  }
}
