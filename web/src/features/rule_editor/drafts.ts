/** What was typed and not saved, kept while the tab lives: going to look at a metric and coming back loses nothing. */

const KEY = "signalbox.rules.draft";

export interface Draft {
  namespace: string;
  text: string;
}

export function storedDraft(file: string, group: string): Draft | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(`${KEY} ${JSON.stringify([file, group])}`) ?? "null");
    if (typeof value !== "object" || value === null || !("text" in value) || !("namespace" in value)) return null;
    return typeof value.text === "string" && typeof value.namespace === "string" ? { namespace: value.namespace, text: value.text } : null;
  } catch {
    return null;
  }
}

/** Keeps a draft, or forgets it when it is null. */
export function storeDraft(file: string, group: string, draft: Draft | null): void {
  const key = `${KEY} ${JSON.stringify([file, group])}`;
  try {
    if (draft === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // Storage may be forbidden; what is typed then lives as long as the page.
  }
}
