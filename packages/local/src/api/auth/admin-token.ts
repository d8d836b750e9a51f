import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { UserInfo } from "../write/context.ts";
import { writePrivate } from "./certificates.ts";

export const ADMIN_USER: UserInfo = { username: "bowline-admin", groups: ["system:masters", "system:authenticated"] };

/** The bearer token of the kubeconfig's user; made once for a cluster. */
export function loadAdminToken(directory: string): string {
  const path = join(directory, "admin.token");
  if (existsSync(path)) {
    const token = readFileSync(path, "utf8").trim();
    if (token !== "") return token;
  }
  const token = randomBytes(32).toString("base64url");
  writePrivate(path, `${token}\n`);
  return token;
}

/** In a time that says nothing of how much of the token is right. */
export function isSameToken(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
