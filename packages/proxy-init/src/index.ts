export { runProxyInit } from "./proxy-init.ts";
