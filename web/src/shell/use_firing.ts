/** What fires now, asked again and again on every page; what was seen is remembered in the browser. */

import { useCallback, useEffect, useMemo, useState } from "react";
import { loudAlerts, type DeskAlert } from "../api/alertmanager.ts";
import { useResource } from "../api/use_resource.ts";
import { fresh, parseSeen, seenAfter } from "./firing.ts";

const PAUSE_MS = 30_000;
const KEY = "signalbox.alerts.seen";
const NONE: readonly DeskAlert[] = [];

export interface Firing {
  alerts: readonly DeskAlert[];
  /** Those that are new since somebody looked. */
  fresh: readonly DeskAlert[];
  dismiss: (alerts: readonly DeskAlert[]) => void;
}

/** `version` asks at once when it changes; while `looking`, everything counts as seen. */
export function useFiring(version: number, looking: boolean): Firing {
  const [seen, setSeen] = useState(stored);
  const { data, reload } = useResource(`firing ${version}`, loudAlerts);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, PAUSE_MS);
    // Another tab may have been looked at.
    const listen = (event: StorageEvent): void => {
      if (event.key === KEY) setSeen(stored());
    };
    globalThis.addEventListener("storage", listen);
    return () => {
      clearInterval(timer);
      globalThis.removeEventListener("storage", listen);
    };
  }, [reload]);
  const alerts = data ?? NONE;
  const dismiss = useCallback((more: readonly DeskAlert[]) => {
    const next = seenAfter(stored(), more, alerts);
    try {
      localStorage.setItem(KEY, JSON.stringify(next));
    } catch {
      // Storage may be forbidden; what was seen is then known as long as the page lives.
    }
    setSeen(new Set(next));
  }, [alerts]);
  const unseen = useMemo(() => fresh(alerts, seen), [alerts, seen]);
  useEffect(() => {
    if (looking && unseen.length > 0) dismiss(unseen);
  }, [looking, unseen, dismiss]);
  return { alerts, fresh: unseen, dismiss };
}

function stored(): Set<string> {
  try {
    return parseSeen(localStorage.getItem(KEY));
  } catch {
    return new Set();
  }
}
