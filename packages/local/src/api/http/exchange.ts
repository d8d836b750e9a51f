import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "@bowline/kube";
import type { FieldValidation } from "../../schema/resource-type.ts";
import type { UserInfo, WriteContext } from "../write/context.ts";
import { type Accepted, parseAccept } from "./accept.ts";
import { sendObject, warningHeader } from "./answer.ts";
import { isSet } from "./request-info.ts";

/** Kubernetes' own bounds on what it sends as warnings. */
const WARNINGS_MAX = 32;

/** One authenticated request and its response. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  readonly #accepted: readonly Accepted[];
  readonly #warnings: Set<string> = new Set();

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
    user: UserInfo,
  ) {
    this.request = request;
    this.response = response;
    this.path = path;
    this.query = query;
    this.user = user;
    this.#accepted = parseAccept(request.headers.accept);
  }

  get method(): string {
    return this.request.method ?? "GET";
  }

  /** The best of what the client accepts among `kinds`; "" (the object itself) is always among them. */
  accepted(...kinds: readonly string[]): Accepted {
    const found = this.#accepted.find(({ as }) => as === "" || kinds.includes(as));
    if (found !== undefined) return found;
    const message = "only the following media types are accepted: application/json, application/yaml";
    throw new ApiError(406, "NotAcceptable", message);
  }

  get dryRun(): boolean {
    const values = this.query.getAll("dryRun").filter((value) => value !== "");
    const unknown = values.find((value) => value !== "All");
    if (unknown !== undefined)
      throw ApiError.badRequest(`dryRun: Unsupported value: ${JSON.stringify(unknown)}: supported values: "All"`);
    return values.length > 0;
  }

  get fieldValidation(): FieldValidation {
    const value = this.query.get("fieldValidation") ?? "";
    if (value === "") return "Warn";
    if (value === "Strict" || value === "Warn" || value === "Ignore") return value;
    const supported = 'supported values: "Ignore", "Strict", "Warn"';
    throw ApiError.badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(value)}: ${supported}`);
  }

  /** Parameter `fieldManager`, or what the client calls itself. */
  get fieldManager(): string {
    const given = this.query.get("fieldManager") ?? "";
    return given === "" ? ((this.request.headers["user-agent"] ?? "").split("/")[0] ?? "") || "unknown" : given;
  }

  warn(text: string): void {
    if (this.#warnings.size < WARNINGS_MAX) this.#warnings.add(text);
  }

  writeContext(dryRun: boolean = this.dryRun): WriteContext {
    return { user: this.user, dryRun, fieldManager: this.fieldManager, warn: (text) => this.warn(text) };
  }

  /** To be called before the head of an answer goes out. */
  setWarnings(): void {
    if (this.#warnings.size > 0) this.response.setHeader("warning", [...this.#warnings].map(warningHeader));
  }

  send(code: number, object: unknown, format: Accepted["format"] = "json"): void {
    if (this.response.headersSent || this.response.destroyed) return;
    this.setWarnings();
    sendObject(this.response, code, object, format, isSet(this.query, "pretty"));
  }
}
