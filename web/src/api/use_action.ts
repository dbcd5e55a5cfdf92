/** Changing something at the server as state of a component: one at a time, with its refusal. */

import { useCallback, useEffect, useRef, useState } from "react";

export interface Action<Argument> {
  run: (argument: Argument) => void;
  running: boolean;
  /** The refusal of the last attempt; null when it went well. */
  error: Error | null;
  forget: () => void;
}

/** `perform` is called at once; `done` with what it gave. Leaving the page gives up waiting, not the change. */
export function useAction<Argument, Result>(perform: (argument: Argument, signal: AbortSignal) => Promise<Result>, done: (result: Result) => void): Action<Argument> {
  const [state, setState] = useState<{ running: boolean; error: Error | null }>({ running: false, error: null });
  const latest = useRef({ perform, done });
  latest.current = { perform, done };
  const gone = useRef(false);
  const busy = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
    };
  }, []);
  const run = useCallback((argument: Argument) => {
    if (busy.current) return;
    busy.current = true;
    setState({ running: true, error: null });
    latest.current.perform(argument, new AbortController().signal).then(
      (result) => {
        busy.current = false;
        if (gone.current) return;
        setState({ running: false, error: null });
        latest.current.done(result);
      },
      (error: unknown) => {
        busy.current = false;
        if (!gone.current) setState({ running: false, error: error instanceof Error ? error : new Error(String(error)) });
      },
    );
  }, []);
  const forget = useCallback(() => setState((current) => ({ ...current, error: null })), []);
  return { ...state, run, forget };
}
