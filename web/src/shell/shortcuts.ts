/** Keys: single ones and chords of two. The table is what the help shows; the machine is pure. */

export interface Shortcut {
  /** One key, or two after each other, as `KeyboardEvent.key`. */
  keys: readonly string[];
  label: string;
  action: string;
}

/** How long the first key of a chord waits for the second. */
export const CHORD_MS = 1_200;

/** What pressing `key` does after `pending`: an action, or a chord to wait for. */
export function press(shortcuts: readonly Shortcut[], pending: string | null, key: string): { action: string | null; pending: string | null } {
  if (pending !== null) {
    const chord = shortcuts.find((each) => each.keys.length === 2 && each.keys[0] === pending && each.keys[1] === key);
    if (chord !== undefined) return { action: chord.action, pending: null };
  }
  const single = shortcuts.find((each) => each.keys.length === 1 && each.keys[0] === key);
  if (single !== undefined) return { action: single.action, pending: null };
  return { action: null, pending: shortcuts.some((each) => each.keys.length === 2 && each.keys[0] === key) ? key : null };
}

/** Whether keys typed here are text, and not commands. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  // An editor lives in a shadow tree: the event is retargeted to its host.
  if (target.shadowRoot?.activeElement instanceof HTMLElement && target.shadowRoot.activeElement.isContentEditable) return true;
  return target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");
}
