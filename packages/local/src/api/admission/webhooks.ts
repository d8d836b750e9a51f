import {
  ApiError,
  type KubeObject,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  type ValidatingWebhook,
  type ValidatingWebhookConfiguration,
} from "@bowline/kube";
import { applyPatch } from "../../schema/patch/apply-patch.ts";
import type { Store } from "../storage/store.ts";
import type { AdmissionAttributes } from "../write/context.ts";
import { refusalOf, type WebhookAnswer, type WebhookCaller } from "./webhook-call.ts";
import { matchedVersion } from "./webhook-match.ts";

const MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const VALIDATING = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/** Asks the configured webhooks about a write. */
export class Webhooks {
  readonly #store: Store;
  readonly #caller: WebhookCaller;
  readonly #warn: (line: string) => void;

  constructor(store: Store, caller: WebhookCaller, warn: (line: string) => void) {
    this.#store = store;
    this.#caller = caller;
    this.#warn = warn;
  }

  /**
   * Lets mutating webhooks change `attributes.object`, one after the other, in the order of their configurations' names. Those that
   * wish are asked once more when another one has changed the object after them. Resolves with whether anything was changed;
   * undefined when there is nobody to ask.
   */
  mutate(attributes: AdmissionAttributes): Promise<boolean> | undefined {
    const configurations = this.#store.list(MUTATING) as MutatingWebhookConfiguration[];
    const webhooks = configurations.flatMap((configuration) => configuration.webhooks ?? []);
    const asks = webhooks.some((webhook) => matchedVersion(this.#store, webhook, attributes) !== undefined);
    return asks ? this.#mutateByAll(webhooks, attributes) : undefined;
  }

  /** Asks all validating webhooks at the same time; the first refusal, in order, counts. Undefined: nobody to ask. */
  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const configurations = this.#store.list(VALIDATING) as ValidatingWebhookConfiguration[];
    const asked = configurations.flatMap((configuration) =>
      (configuration.webhooks ?? []).flatMap((webhook) => {
        const version = matchedVersion(this.#store, webhook, attributes);
        return version === undefined ? [] : [{ webhook, version }];
      }),
    );
    if (asked.length === 0) return undefined;
    return this.#validateByAll(asked, attributes);
  }

  async #mutateByAll(webhooks: readonly MutatingWebhook[], attributes: AdmissionAttributes): Promise<boolean> {
    /** The object as each webhook left it. */
    const left = new Map<MutatingWebhook, KubeObject | undefined>();
    const before = attributes.object;
    for (const webhook of webhooks) {
      if (await this.#mutateBy(webhook, attributes)) left.set(webhook, attributes.object);
    }
    for (const [webhook, object] of left) {
      if (webhook.reinvocationPolicy !== "IfNeeded" || object === attributes.object) continue;
      await this.#mutateBy(webhook, attributes);
    }
    return attributes.object !== before;
  }

  async #validateByAll(
    asked: readonly { readonly webhook: ValidatingWebhook; readonly version: string }[],
    attributes: AdmissionAttributes,
  ): Promise<void> {
    const asking = asked.map(({ webhook, version }) => this.#ask(webhook, attributes, version));
    for (const result of await Promise.allSettled(asking)) if (result.status === "rejected") throw result.reason;
  }

  /** Whether the webhook was asked. */
  async #mutateBy(webhook: MutatingWebhook, attributes: AdmissionAttributes): Promise<boolean> {
    const version = matchedVersion(this.#store, webhook, attributes);
    if (version === undefined) return false;
    const answer = await this.#ask(webhook, attributes, version);
    if (answer?.patch === undefined || attributes.object === undefined) return true;
    const { type, object } = attributes;
    try {
      const patch: unknown = JSON.parse(Buffer.from(answer.patch, "base64").toString("utf8"));
      const patched = applyPatch(type, type.fromStored(object, version), patch, "application/json-patch+json");
      if (Bun.deepEquals(patched, object)) return true;
      const stored = type.toStored(patched);
      type.setDefaults(stored);
      attributes.object = stored;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw ApiError.internal(
        `Internal error occurred: the patch of webhook ${JSON.stringify(webhook.name)} does not apply: ${why}`,
      );
    }
    return true;
  }

  /** Undefined when the webhook could not be asked, and that does not matter. */
  async #ask(
    webhook: MutatingWebhook | ValidatingWebhook,
    attributes: AdmissionAttributes,
    version: string,
  ): Promise<WebhookAnswer | undefined> {
    const { context } = attributes;
    if (context.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
      throw ApiError.badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    }
    let answer: WebhookAnswer;
    try {
      answer = await this.#caller.call(webhook, attributes, version);
    } catch (error) {
      const told = `failed calling webhook ${JSON.stringify(webhook.name)}: ${error instanceof Error ? error.message : String(error)}`;
      if (webhook.failurePolicy !== "Ignore")
        throw ApiError.internal(`Internal error occurred: ${told}`, { cause: error });
      this.#warn(`${told}; ignored, as its failurePolicy says`);
      return undefined;
    }
    for (const warning of answer.warnings ?? []) context.warn(warning);
    if (!answer.allowed) throw refusalOf(webhook.name, answer);
    return answer;
  }
}
