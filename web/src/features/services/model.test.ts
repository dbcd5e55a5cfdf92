import { describe, expect, it } from "vitest";
import { toMap, type ServiceEdge, type ServiceNode } from "../../api/service_map.ts";
import { MAP_MAX, drawn, errorShare, healthOf, listed, merged, plans, ranked, sorted, thickness } from "./model.ts";
import { SERVICES_URL } from "./url.ts";

const N = Number.NaN;
const node = (name: string, rate: number, errorRate = 0, p95 = N): ServiceNode => ({ name, kind: "service", rate, errorRate, p50: N, p95, p99: N });
const edge = (client: string, server: string, rate: number, errorRate = 0, p95 = N): ServiceEdge => ({ client, server, connection: "request", rate, errorRate, p50: N, p95, p99: N });
const names = (rows: readonly { name: string }[]): string => rows.map(({ name }) => name).join("");

it("reads the map, whatever is unknown in it", () => {
  const map = toMap({ nodes: [{ name: "a", kind: "database", rate: 1, error_rate: 0, p50: null, p95: 0.5, p99: null }, { name: "b", kind: "odd" }], edges: [{ client: "a", server: "b", connection: "request", rate: 2 }] });
  expect(map.nodes).toEqual([{ name: "a", kind: "database", rate: 1, errorRate: 0, p50: N, p95: 0.5, p99: N }, { name: "b", kind: "external", rate: N, errorRate: N, p50: N, p95: N, p99: N }]);
  expect(map.edges[0]).toMatchObject({ client: "a", server: "b", rate: 2 });
  expect(toMap(null)).toEqual({ nodes: [], edges: [] });
});

it("tells how healthy something is by its share of errors", () => {
  expect([node("a", 0), node("a", 100), node("a", 1_000, 1), node("a", 100, 1)].map(healthOf)).toEqual(["good", "good", "warn", "bad"]);
  expect(errorShare(node("a", 0))).toBeNaN();
});

it("sorts by any column, unknown values last", () => {
  const rows = [node("a", 1, 1, 0.1), node("b", 3, 0, N), node("c", 2, 1, 0.3)];
  expect(names(sorted(rows, "rate"))).toBe("bca");
  expect(names(sorted(rows, "errors"))).toBe("acb");
  expect(names(sorted(rows, "p95"))).toBe("cab");
  expect(names(sorted(rows, "name"))).toBe("abc");
});

it("lists services only, by words", () => {
  const view = { service: "", find: "CAR", sort: "rate" } as const;
  expect(names(listed({ nodes: [node("cart", 1), node("card", 2), { ...node("carmen", 9), kind: "database" }, node("x", 3)], edges: [] }, view))).toBe("cardcart");
});

describe("the map", () => {
  it("has the busiest boxes and the lines between them", () => {
    const nodes = Array.from({ length: MAP_MAX + 5 }, (_, index) => node(`s${index}`, index));
    const found = drawn({ nodes, edges: [edge("s0", "s64", 1), edge("s63", "s64", 1)] });
    expect(found.nodes).toHaveLength(MAP_MAX);
    expect(found.edges.map(({ client }) => client)).toEqual(["s63"]);
  });
  it("draws one line between two", () => {
    expect(merged([edge("a", "b", 1, 0.5, 0.1), edge("a", "b", 3, 0, 0.2), edge("b", "a", 1)])).toMatchObject([{ rate: 4, errorRate: 0.5, p95: 0.2 }, { client: "b", rate: 1 }]);
  });
  it("draws busier lines thicker", () => {
    expect(thickness(10, 10)).toBeCloseTo(5);
    expect(thickness(0, 10)).toBe(1);
    expect(thickness(1, 10)).toBeGreaterThan(thickness(0.1, 10));
    expect(thickness(N, N)).toBe(1);
  });
});

it("lists what is served before what is called", () => {
  const operation = (name: string, kind: string, rate: number) => ({ ...node(name, rate), service: "s", kind });
  expect(names(ranked([operation("a", "client", 9), operation("b", "server", 1), operation("c", "consumer", 2)], ""))).toBe("cba");
  expect(names(ranked([operation("get", "client", 9), operation("set", "server", 1)], "client"))).toBe("get");
});

it("asks for rate, errors and durations of one service", () => {
  const [rate, errors, durations] = plans('a"b', 120);
  expect(rate?.lines[0]?.query).toBe('sum(rate(traces_spanmetrics_calls_total{service="a\\"b", span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}[2m]))');
  expect(errors?.lines[0]?.query).toContain("or vector(0)");
  expect(durations?.lines.map(({ label }) => label)).toEqual(["99 % below", "95 % below", "median"]);
});

it("keeps its view in the URL", () => {
  expect(SERVICES_URL.parse(new URLSearchParams("service=a&sort=odd"))).toEqual({ service: "a", find: "", sort: "rate" });
  expect(SERVICES_URL.print({ service: "", find: "x", sort: "p95" })).toEqual([["service", ""], ["find", "x"], ["sort", "p95"]]);
});
