/** Light, dark, or as the system has it. A preference of the person, not of the view: kept in the browser, not in the URL. */

export type Theme = "system" | "light" | "dark";

const KEY = "signalbox.theme";
export const THEME_EVENT = "signalbox:theme";

export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage may be forbidden; the theme then lasts as long as the page.
  }
  // Canvases cannot read CSS variables when they repaint by themselves: they listen.
  globalThis.dispatchEvent(new Event(THEME_EVENT));
}

export function nextTheme(theme: Theme): Theme {
  return theme === "system" ? "light" : theme === "light" ? "dark" : "system";
}

/** Calls back when colours change: by choice, or because the system changed. Returns how to stop. */
export function onThemeChange(callback: () => void): () => void {
  const system = globalThis.matchMedia("(prefers-color-scheme: dark)");
  globalThis.addEventListener(THEME_EVENT, callback);
  system.addEventListener("change", callback);
  return () => {
    globalThis.removeEventListener(THEME_EVENT, callback);
    system.removeEventListener("change", callback);
  };
}
