import { describe, expect, it } from "vitest";
import { threshold, type Comparison } from "./threshold.ts";

describe("threshold", () => {
  it.each<[string, string, Comparison, number]>([
    ["up == 0", "up", "==", 0],
    ["sum by (job) (rate(failures_total[5m])) > 0.1", "sum by (job) (rate(failures_total[5m]))", ">", 0.1],
    ["100 < queue", "queue", ">", 100],
    ["(a / b) >= bool 1e-3", "(a / b)", ">=", 0.001],
    ["((a > 5))", "a", ">", 5],
    ["bytes > 10 * 1024 * (1 + 1)", "bytes", ">", 20_480],
    ["temperature < -5", "temperature", "<", -5],
    ["a > 1 and on (job) b < 2", "a", ">", 1],
    ["absent(a) or b > 2", "b", ">", 2],
    ["up{job=\"a > 3\"} != 1", 'up{job="a > 3"}', "!=", 1],
    ["a # > 9\n > 4", "a # > 9", ">", 4],
    ["x > 0 < 5", "x", ">", 0],
    ["order_and_unless > 7", "order_and_unless", ">", 7],
    ['sum(count_over_time({a="b"} |= `x > 1` != "y" [5m])) > 2', 'sum(count_over_time({a="b"} |= `x > 1` != "y" [5m]))', ">", 2],
    ["{ duration > 200ms } | rate() by (resource.service.name) > 0.2", "{ duration > 200ms } | rate() by (resource.service.name)", ">", 0.2],
  ])("%s", (query, expression, comparison, value) => {
    expect(threshold(query)).toEqual({ expression, comparison, value });
  });
  it.each(["up", "a > b", "absent(up)", "vector(1)", "1 > 2", "", "a >", "(", '"unclosed > 1', "a > 5m"])("is none in %s", (query) => {
    expect(threshold(query)).toBeNull();
  });
});
