import { expect, it } from "vitest";
import { Echoes } from "./echo.ts";

it("knows what it told, also when it comes late or is left out", () => {
  const echoes = new Echoes();
  for (const value of ["", "a", "ab"]) echoes.tell(value, 0);
  expect(echoes.take("", 10)).toBe(true);
  expect(echoes.take("ab", 10)).toBe(true);
  expect(echoes.take("a", 10)).toBe(false);
});

it("takes anything else for a value from outside, which ends what came before", () => {
  const echoes = new Echoes();
  echoes.tell("a", 0);
  expect(echoes.take("picked", 10)).toBe(false);
  expect(echoes.take("a", 10)).toBe(false);
});

it("does not wait for ever for what was overtaken", () => {
  const echoes = new Echoes();
  echoes.tell("a", 0);
  echoes.tell("", 1);
  expect(echoes.take("a", 60_000)).toBe(false);
});
