export { runProxy } from "./main/run.ts";
