import type { FuzzTarget } from "@bowline/testkit";
import { grpcTarget } from "./grpc-target.ts";
import { hpackTarget } from "./hpack-target.ts";
import { http1Target } from "./http1-target.ts";
import { http2Target } from "./http2-target.ts";

/** Everything that reads bytes from a peer. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [http1Target, http2Target, hpackTarget, grpcTarget];
