/**
 * The bridge between the URL and the pages: the time range that all pages share, and the state of one view.
 * Nothing here keeps a copy of what stands in the URL.
 */

import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { useLocation, useSearch } from "wouter";
import { parseDuration } from "./time/duration.ts";
import { DEFAULT_RANGE, absolute, isRelative, resolveRange, type TimeRange, type TimeWindow } from "./time/range.ts";
import { TIME_PARAMS, type Params } from "./paths.ts";

/** The shortest pause between two automatic reloads. */
const REFRESH_MIN_MS = 1_000;

export interface Time {
  /** As written in the URL. */
  range: TimeRange;
  /** What it means since the last reload; every panel of a page sees the same window. */
  window: TimeWindow;
  /** Pause between reloads as written (`10s`), the empty text when they are off. */
  refresh: string;
  /** Grows with every reload; part of the key of everything that is loaded. */
  version: number;
  setRange(range: TimeRange): void;
  /** Zoom: an absolute range, as a new step of the history. */
  setWindow(window: TimeWindow): void;
  setRefresh(refresh: string): void;
  reload(): void;
}

const TimeContext = createContext<Time | null>(null);

export function TimeProvider({ children }: { children: ReactNode }): ReactNode {
  const search = useSearch();
  const change = useSearchChange();
  const [version, setVersion] = useState(0);
  const params = useMemo(() => new URLSearchParams(search), [search]);
  const from = params.get(TIME_PARAMS.from) ?? DEFAULT_RANGE.from;
  const to = params.get(TIME_PARAMS.to) ?? DEFAULT_RANGE.to;
  const refresh = params.get(TIME_PARAMS.refresh) ?? "";
  // The window is fixed by the range and the reload that asked for it, not by the moment of a render.
  const window = useMemo(() => resolveRange({ from, to }, Date.now()), [from, to, version]);
  const reload = useCallback(() => setVersion((current) => current + 1), []);

  useEffect(() => {
    const pause = parseDuration(refresh);
    if (pause === null || pause < REFRESH_MIN_MS || !isRelative({ from, to })) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, pause);
    return () => clearInterval(timer);
  }, [refresh, from, to, reload]);

  const time = useMemo<Time>(() => {
    const setRange = (range: TimeRange): void => change([[TIME_PARAMS.from, range.from], [TIME_PARAMS.to, range.to]], false);
    return {
      range: { from, to },
      window,
      refresh,
      version,
      setRange,
      setWindow: (next) => setRange(absolute(next)),
      setRefresh: (pause) => change([[TIME_PARAMS.refresh, pause]], true),
      reload,
    };
  }, [from, to, refresh, window, version, change, reload]);
  return <TimeContext value={time}>{children}</TimeContext>;
}

export function useTime(): Time {
  const time = useContext(TimeContext);
  if (time === null) throw new Error("useTime needs a TimeProvider above it");
  return time;
}

/** How the state of a page is read from the parameters and written back; both directions are pure. */
export interface Codec<State> {
  parse(params: URLSearchParams): State;
  print(state: State): Params;
}

/** The state of a page, which lives in the URL. `update` is a new step of the history, `replace` is none. */
export function useUrlState<State>(codec: Codec<State>): { state: State; update: (next: State) => void; replace: (next: State) => void } {
  const search = useSearch();
  const change = useSearchChange();
  const state = useMemo(() => codec.parse(new URLSearchParams(search)), [search, codec]);
  const update = useCallback((next: State) => change(codec.print(next), false), [change, codec]);
  const replace = useCallback((next: State) => change(codec.print(next), true), [change, codec]);
  return { state, update, replace };
}

/** Sets the named parameters of the present URL and leaves the others alone; the empty value removes one. */
function useSearchChange(): (params: Params, replace: boolean) => void {
  const [, navigate] = useLocation();
  return useCallback((params: Params, replace: boolean) => {
    const { pathname, search } = globalThis.location;
    const next = new URLSearchParams(search);
    for (const [name, value] of params) {
      if (value === undefined || value === "") next.delete(name);
      else next.set(name, value);
    }
    const text = next.toString();
    if (text === new URLSearchParams(search).toString()) return;
    navigate(text === "" ? pathname : `${pathname}?${text}`, { replace });
  }, [navigate]);
}
