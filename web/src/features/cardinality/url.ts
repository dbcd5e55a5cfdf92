/** The view of the Cardinality page and its URL. */

import type { Codec } from "../../location.tsx";

export const SORTS = ["series", "bytes", "created", "rows", "queries", "name"] as const;
export type Sort = (typeof SORTS)[number];

/** A label that the series must have, with its value. */
export type Only = readonly [label: string, value: string];

export const TOP_DEFAULT = 100;
export const TOP_MAX = 1_000;

export interface CardinalityView {
  /** How far it was drilled down: only series with all of these. */
  only: readonly Only[];
  /** The label whose values are listed; the empty text lists the largest pairs of all labels. */
  label: string;
  sort: Sort;
  /** Only names and values that contain this. */
  find: string;
  /** Only metrics that nobody asked for. */
  unasked: boolean;
  /** Entries of each list. */
  top: number;
}

export const CARDINALITY_URL: Codec<CardinalityView> = {
  parse: (params) => {
    const top = Number(params.get("top") ?? TOP_DEFAULT);
    return {
      only: parseOnly(params.get("only") ?? ""),
      label: params.get("label") ?? "",
      sort: SORTS.find((sort) => sort === params.get("sort")) ?? "series",
      find: params.get("find") ?? "",
      unasked: params.get("unasked") === "1",
      top: Number.isInteger(top) && top > 0 ? Math.min(top, TOP_MAX) : TOP_DEFAULT,
    };
  },
  print: (view) => [
    ["only", printOnly(view.only)],
    ["label", view.label],
    ["sort", view.sort === "series" ? "" : view.sort],
    ["find", view.find],
    ["unasked", view.unasked ? "1" : ""],
    ["top", view.top === TOP_DEFAULT ? "" : String(view.top)],
  ],
};

/** Pairs as a list of JSON texts: values may hold anything. */
export function printOnly(only: readonly Only[]): string {
  return only.length === 0 ? "" : JSON.stringify(only.flat());
}

function parseOnly(text: string): Only[] {
  if (text === "") return [];
  try {
    const flat: unknown = JSON.parse(text);
    if (!Array.isArray(flat) || flat.length % 2 !== 0 || !flat.every((each) => typeof each === "string")) return [];
    return Array.from({ length: flat.length / 2 }, (_, index): Only => [flat[2 * index] as string, flat[2 * index + 1] as string]);
  } catch {
    return [];
  }
}
