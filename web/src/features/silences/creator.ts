/** Who silences, remembered in the browser: it belongs to the person, not to the view. */

const KEY = "signalbox.name";

export function rememberedName(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export function rememberName(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Storage may be forbidden; the name is then asked for each time.
  }
}
