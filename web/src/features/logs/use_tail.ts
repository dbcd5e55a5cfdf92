/** The live tail: a stream of the Loki API for LogQL, repeated searches otherwise. */

import { useCallback, useEffect, useRef, useState } from "react";
import { searchLogs, type SearchRecord } from "../../api/logs.ts";
import { logs, tailUrl, toTail } from "../../api/loki.ts";
import { msToNanos } from "../../time/format.ts";
import { askedBy, languageOf } from "./language.ts";
import { recordOf } from "./model.ts";
import { begun, nextStart, received, resumed, skipped, type Tail } from "./tail.ts";
import type { LogsView } from "./url.ts";

const PAUSE_MS = 1_000;
/** Pause after a failure. */
const RETRY_MS = 5_000;
const BATCH_ROWS = 500;

export interface LiveTail {
  tail: Tail | null;
  error: Error | null;
  isPaused: boolean;
  setPaused: (isPaused: boolean) => void;
}

/** Follows a view while `loaded`, the records to go on from, are there. */
export function useTail(view: LogsView, isOn: boolean, loaded: SearchRecord[] | undefined, loadedEndMs: number): LiveTail {
  const [tail, setTail] = useState<Tail | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isPaused, setIsPaused] = useState(false);
  const state = useRef<{ tail: Tail | null; isPaused: boolean }>({ tail: null, isPaused: false });
  const change = useCallback((next: (tail: Tail) => Tail) => {
    if (state.current.tail === null) return;
    const changed = next(state.current.tail);
    if (changed === state.current.tail) return;
    state.current.tail = changed;
    setTail(changed);
  }, []);
  const setPaused = useCallback((wanted: boolean) => {
    if (state.current.isPaused === wanted) return;
    state.current.isPaused = wanted;
    setIsPaused(wanted);
    if (!wanted) change(resumed);
  }, [change]);

  const query = askedBy(view);
  const language = languageOf(view.query);
  const isReady = isOn && language !== "metric" && loaded !== undefined;
  const latest = useRef({ loaded, loadedEndMs });
  latest.current = { loaded, loadedEndMs };

  useEffect(() => {
    if (!isReady) {
      state.current = { tail: null, isPaused: false };
      setTail(null);
      setIsPaused(false);
      setError(null);
      return;
    }
    const begin = begun(latest.current.loaded ?? [], msToNanos(latest.current.loadedEndMs));
    state.current = { tail: begin, isPaused: false };
    setTail(begin);
    setIsPaused(false);
    const take = (start: string, records: SearchRecord[], total: number | null): void => change((tail) => received(tail, start, records, total, state.current.isPaused));
    const abort = new AbortController();
    const poll = async (): Promise<void> => {
      while (!abort.signal.aborted) {
        let pause = PAUSE_MS;
        if (document.visibilityState === "visible" && state.current.tail !== null) {
          const start = nextStart(state.current.tail);
          try {
            if (language === "logql") {
              const rows = await logs(query, { startNanos: start, endNanos: msToNanos(Date.now() + PAUSE_MS), limit: BATCH_ROWS }, abort.signal);
              take(start, rows.map(recordOf), null);
            } else {
              const answer = await searchLogs(query, { startNanos: start }, { limit: BATCH_ROWS, total: true }, abort.signal);
              take(start, answer.records, answer.total);
            }
            setError(null);
          } catch (failure) {
            if (abort.signal.aborted) return;
            setError(failure instanceof Error ? failure : new Error(String(failure)));
            pause = RETRY_MS;
          }
        }
        await new Promise((done) => setTimeout(done, pause));
      }
    };
    if (language === "search") {
      void poll();
      return () => abort.abort();
    }
    const start = nextStart(begin);
    const socket = new WebSocket(tailUrl(query, start, BATCH_ROWS));
    socket.onmessage = ({ data }) => {
      const { rows, dropped } = toTail(String(data));
      take(start, rows.map(recordOf), null);
      change((tail) => skipped(tail, dropped));
      setError(null);
    };
    // A proxy may let no WebSocket pass, and any connection may break: then the same is asked again and again.
    socket.onclose = () => {
      if (!abort.signal.aborted) void poll();
    };
    return () => {
      abort.abort();
      socket.close();
    };
  }, [isReady, loaded, language, query, change]);

  return { tail, error, isPaused, setPaused };
}
