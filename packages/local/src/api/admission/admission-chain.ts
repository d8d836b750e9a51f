import type { Pod } from "@bowline/kube";
import type { Rbac } from "../auth/rbac.ts";
import type { Store } from "../storage/store.ts";
import type { Admission, AdmissionAttributes } from "../write/context.ts";
import { awaitDefaultAccount } from "./default-account.ts";
import { addDefaultTolerations } from "./default-tolerations.ts";
import { checkEscalation } from "./escalation.ts";
import { mountServiceAccount } from "./service-account.ts";
import type { Webhooks } from "./webhooks.ts";

/** What is built in, then what is configured. */
export class AdmissionChain implements Admission {
  readonly #store: Store;
  readonly #rbac: Rbac;
  readonly #webhooks: Webhooks;

  constructor(store: Store, rbac: Rbac, webhooks: Webhooks) {
    this.#store = store;
    this.#rbac = rbac;
    this.#webhooks = webhooks;
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    if (!createsPod(attributes)) return this.#webhooks.mutate(attributes)?.then(() => undefined);
    const waiting = awaitDefaultAccount(this.#store, attributes.namespace, attributes.object as Pod);
    return waiting === undefined ? this.#mutatePod(attributes) : waiting.then(() => this.#mutatePod(attributes));
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    checkEscalation(this.#rbac, attributes);
    return this.#webhooks.validate(attributes);
  }

  #mutatePod(attributes: AdmissionAttributes): Promise<void> | undefined {
    this.#completePod(attributes);
    return this.#webhooks.mutate(attributes)?.then((changed) => {
      // Containers that a webhook has brought want their token, too.
      if (changed) this.#completePod(attributes);
    });
  }

  #completePod({ namespace, object }: AdmissionAttributes): void {
    mountServiceAccount(this.#store, namespace, object as Pod);
    addDefaultTolerations(object as Pod);
  }
}

function createsPod({ operation, type, subresource, object }: AdmissionAttributes): boolean {
  return type.storedAs === "pods" && operation === "CREATE" && subresource === "" && object !== undefined;
}
