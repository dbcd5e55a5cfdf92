/** Loading as state of a component: the latest request wins, an old one is aborted, old data stays until new data is here. */

import { useCallback, useEffect, useRef, useState } from "react";

export interface Resource<T> {
  /** The last answer, also while a newer one is on its way. */
  data: T | undefined;
  /** The refusal of the last request; null when it went well. */
  error: Error | null;
  loading: boolean;
  /** The key for which `data` was loaded. */
  loadedKey: string | null;
  reload: () => void;
}

/** Loads when `key` changes; a null key loads nothing and forgets. `load` must depend on nothing that is not in the key. */
export function useResource<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ data: T | undefined; error: Error | null; loadedKey: string | null; settledKey: string | null }>(EMPTY);
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const wanted = key === null ? null : `${attempt} ${key}`;

  useEffect(() => {
    if (key === null || wanted === null) {
      setState(EMPTY);
      return;
    }
    const abort = new AbortController();
    latest.current(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, error: null, loadedKey: key, settledKey: wanted });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        setState((previous) => ({ data: previous.data, error: failure, loadedKey: previous.loadedKey, settledKey: wanted }));
      },
    );
    return () => abort.abort();
  }, [key, wanted]);

  const reload = useCallback(() => setAttempt((current) => current + 1), []);
  const loading = wanted !== null && state.settledKey !== wanted;
  return { data: state.data, error: state.error, loading, loadedKey: state.loadedKey, reload };
}

const EMPTY = { data: undefined, error: null, loadedKey: null, settledKey: null };
