export { bowline } from "./bowline.ts";
export type { Competitor, Setup } from "./competitor.ts";
export { floor } from "./floor.ts";
export { haproxy } from "./haproxy.ts";
export { nghttpx } from "./nghttpx.ts";
export { nginx } from "./nginx.ts";
