import { expect, test } from "bun:test";
import { Registry } from "@bowline/metrics";
import { Cause } from "../failures.ts";
import { page } from "./testing/page.ts";
import {
  OUTBOUND_TCP_ROUTE,
  OUTBOUND_TLS_ROUTE,
  TransportRouteSeries,
  transportRouteError,
} from "./transport-route-series.ts";

test("connections of routes, by how they ended", () => {
  const registry = new Registry();
  const group = registry.group();
  const tcp = new TransportRouteSeries(group, OUTBOUND_TCP_ROUTE, 'r="1"');
  for (let i = 0; i < 5; i++) tcp.opened();
  tcp.closed("");
  for (const cause of [
    Cause.Forbidden,
    Cause.NoDispatcher,
    Cause.InvalidPolicy,
    Cause.ConnectRefused,
    Cause.Failfast,
  ]) {
    tcp.closed(transportRouteError(cause));
  }
  new TransportRouteSeries(group, OUTBOUND_TLS_ROUTE, 'r="2"').opened();
  expect(page(registry)).toMatchInlineSnapshot(`
    [
      "outbound_tcp_route_open_total{r="1"} 5",
      "outbound_tcp_route_close_total{r="1",error=""} 1",
      "outbound_tcp_route_close_total{r="1",error="forbidden"} 1",
      "outbound_tcp_route_close_total{r="1",error="invalid_backend"} 1",
      "outbound_tcp_route_close_total{r="1",error="invalid_policy"} 1",
      "outbound_tcp_route_close_total{r="1",error="unexpected"} 2",
      "outbound_tls_route_open_total{r="2"} 1",
    ]
  `);
});
