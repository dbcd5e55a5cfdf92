/** The frame around every page: navigation, time, theme, keys. */

import { Suspense, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Link, Route, Switch, useLocation, useRoute } from "wouter";
import { useResource } from "../api/use_resource.ts";
import { serverVersion } from "../api/prometheus.ts";
import { pastedTrace } from "../features/traces/pasted.ts";
import { useTime } from "../location.tsx";
import { ROUTES, join, paths } from "../paths.ts";
import { PAGES, type Page } from "../routes.tsx";
import { IconButton } from "../ui/controls.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Empty, Skeleton } from "../ui/states.tsx";
import { Boundary } from "./Boundary.tsx";
import { Help } from "./Help.tsx";
import { CHORD_MS, isTyping, press, type Shortcut } from "./shortcuts.ts";
import { TimeControls } from "./TimeControls.tsx";
import { Toasts } from "./Toasts.tsx";
import { useFiring } from "./use_firing.ts";
import { applyTheme, nextTheme, storedTheme, type Theme } from "../ui/theme.ts";
import { shifted, scaled } from "../time/range.ts";
import styles from "./shell.module.css";

/** More firing alerts than this are no number that anybody reads. */
const COUNT_MAX = 99;

const NAVIGATION = PAGES.filter((page) => page.nav !== null);

const SHORTCUTS: readonly Shortcut[] = [
  { keys: ["?"], label: "Show this help", action: "help" },
  { keys: ["/"], label: "Go to the search of the page", action: "search" },
  ...NAVIGATION.map((page) => ({ keys: ["g", page.nav?.key ?? ""], label: `Go to ${page.title}`, action: page.route })),
  { keys: ["r"], label: "Reload the data", action: "reload" },
  { keys: ["["], label: "Half a range earlier", action: "earlier" },
  { keys: ["]"], label: "Half a range later", action: "later" },
  { keys: ["-"], label: "Twice the range", action: "wider" },
  { keys: ["d"], label: "Change between system, light and dark", action: "theme" },
];

export function Shell(): ReactNode {
  const time = useTime();
  const [location, navigate] = useLocation();
  const [help, setHelp] = useState(false);
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const version = useResource("version", serverVersion);
  const main = useRef<HTMLElement>(null);
  const firing = useFiring(time.version, location === ROUTES.alerts);

  const changeTheme = useCallback(() => {
    setTheme((current) => {
      const next = nextTheme(current);
      applyTheme(next);
      return next;
    });
  }, []);

  const perform = useCallback((action: string) => {
    if (action === "help") setHelp(true);
    else if (action === "search") focusSearch();
    else if (action === "reload") time.reload();
    else if (action === "earlier") time.setWindow(shifted(time.window, -0.5));
    else if (action === "later") time.setWindow(shifted(time.window, 0.5));
    else if (action === "wider") time.setWindow(scaled(time.window, 2));
    else if (action === "theme") changeTheme();
    else navigate(join(action, [], time.range));
  }, [time, navigate, changeTheme]);
  useShortcuts(perform, !help);
  usePastedTrace(useCallback((trace, span) => navigate(paths.trace(trace, span, time.range)), [navigate, time.range]));

  const title = usePageTitle(location);
  useEffect(() => {
    document.title = title === "Home" ? "Signalbox" : `${title} · Signalbox`;
  }, [title]);

  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the content</a>
      <nav className={styles.nav} aria-label="Pages">
        <Link href={paths.home(time.range)} className={styles.brand} aria-label="Signalbox, home">
          <Mark />
          <span className={styles.brandName}>Signalbox</span>
        </Link>
        <ul className={styles.pages}>
          {NAVIGATION.map((page) => <NavigationItem key={page.route} page={page} href={join(page.route, [], time.range)} firing={page.route === ROUTES.alerts ? firing.alerts.length : 0} />)}
        </ul>
        <div className={styles.foot}>
          {version.data !== undefined && version.data !== "" && <span className={styles.version}>v{version.data}</span>}
        </div>
      </nav>
      <header className={styles.top}>
        <h1 className={styles.title}>{title}</h1>
        <TimeControls />
        <IconButton icon={theme === "light" ? "sun" : theme === "dark" ? "moon" : "system"} label={`Theme: ${theme}`} onClick={changeTheme} />
        <IconButton icon="help" label="Keyboard shortcuts" onClick={() => setHelp(true)} />
      </header>
      <main ref={main} id="main" tabIndex={-1} className={styles.main}>
        <Tabs location={location} />
        <Boundary key={location}>
          <Suspense fallback={<Skeleton lines={8} />}>
            <Switch>
              {PAGES.map((page) => <Route key={page.route} path={page.route} component={page.component} />)}
              <Route><Empty title="There is no such page"><Link href={paths.home(time.range)}>Go home</Link></Empty></Route>
            </Switch>
          </Suspense>
        </Boundary>
      </main>
      <Toasts alerts={firing.fresh} range={time.range} onDismiss={firing.dismiss} />
      <Help open={help} onClose={() => setHelp(false)} shortcuts={SHORTCUTS} />
    </div>
  );
}

/** The pages of a section, where the page that is shown belongs to one. */
function Tabs({ location }: { location: string }): ReactNode {
  const { range } = useTime();
  const section = PAGES.find((page) => page.route === location)?.tab?.section;
  if (section === undefined) return null;
  const name = PAGES.find((page) => page.route === section)?.title ?? "";
  return (
    <nav ref={revealCurrent} key={location} aria-label={name} className={styles.tabs}>
      {PAGES.filter((page) => page.tab?.section === section && page.tab.title !== "").map((page) => (
        <Link key={page.route} href={join(page.route, [], range)} className={styles.tab} aria-current={page.route === location ? "page" : undefined}>{page.tab?.title}</Link>
      ))}
    </nav>
  );
}

/** On a narrow screen the tab of the page may lie outside. */
function revealCurrent(tabs: HTMLElement | null): void {
  const current = tabs?.querySelector<HTMLElement>("[aria-current=page]");
  if (tabs !== null && current !== null && current !== undefined) tabs.scrollLeft = Math.max(0, current.offsetLeft + current.offsetWidth - tabs.offsetLeft - tabs.clientWidth + 16);
}

function NavigationItem({ page, href, firing }: { page: Page; href: string; firing: number }): ReactNode {
  const [exact] = useRoute(page.route);
  const [below] = useRoute(`${page.route}/*`);
  const current = exact || (below && page.route !== "/");
  return (
    <li>
      <Link href={href} className={styles.page} aria-current={current ? "page" : undefined} title={`${page.title} (g ${page.nav?.key ?? ""})`} aria-description={firing > 0 ? `${firing} firing` : undefined}>
        <Icon name={page.nav?.icon ?? "home"} />
        <span className={styles.pageName}>{page.title}</span>
        {firing > 0 && <span className={styles.count} aria-hidden="true" data-testid="firing-count">{firing > COUNT_MAX ? `${COUNT_MAX}+` : firing}</span>}
      </Link>
    </li>
  );
}

function Mark(): ReactNode {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" className={styles.markBox} />
      <path d="M8 6v20" stroke="#7fd8c8" strokeWidth="2.6" strokeLinecap="round" />
      <path d="M8 8.5 25 6v6.5L8 10.8z" fill="#f2a33a" />
      <circle cx="17" cy="20" r="3.6" fill="#4cc2ae" />
    </svg>
  );
}

/** The title of the page at a path; the trace page is reached by links and counts as its own. */
function usePageTitle(location: string): string {
  return useMemo(() => {
    const exact = PAGES.find((page) => page.route === location);
    if (exact !== undefined) return exact.title;
    const pattern = PAGES.find((page) => page.route.includes(":") && location.startsWith(page.route.slice(0, page.route.indexOf(":"))));
    return pattern?.title ?? "Not found";
  }, [location]);
}

function focusSearch(): void {
  const host = document.querySelector<HTMLElement>("[data-search]");
  if (host === null) return;
  const editable = host.shadowRoot?.querySelector<HTMLElement>("[contenteditable=true]") ?? host;
  editable.focus();
  if (editable instanceof HTMLInputElement) editable.select();
}

function useShortcuts(perform: (action: string) => void, enabled: boolean): void {
  const pending = useRef<{ key: string; at: number } | null>(null);
  useEffect(() => {
    if (!enabled) return;
    const listen = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      const waiting = pending.current !== null && event.timeStamp - pending.current.at < CHORD_MS ? pending.current.key : null;
      const result = press(SHORTCUTS, waiting, event.key);
      pending.current = result.pending === null ? null : { key: result.pending, at: event.timeStamp };
      if (result.action === null) return;
      event.preventDefault();
      perform(result.action);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [perform, enabled]);
}

/** A trace whose identifier is pasted anywhere but into a field is opened. */
function usePastedTrace(open: (trace: string, span: string | null) => void): void {
  useEffect(() => {
    const listen = (event: ClipboardEvent): void => {
      if (event.defaultPrevented || isTyping(event.target)) return;
      const pasted = pastedTrace(event.clipboardData?.getData("text/plain") ?? "");
      if (pasted === null) return;
      event.preventDefault();
      open(pasted.trace, pasted.span);
    };
    document.addEventListener("paste", listen);
    return () => document.removeEventListener("paste", listen);
  }, [open]);
}
