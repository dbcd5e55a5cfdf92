/** Every page in one list: where it is, what it is called, which key goes there. Pages load on demand. */

import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import { ROUTES } from "./paths.ts";
import type { IconName } from "./ui/Icon.tsx";

export interface Page {
  route: string;
  title: string;
  /** In the navigation: the icon, and the key after `g`. Pages without are reached by links only. */
  nav: { icon: IconName; key: string } | null;
  /** Its name among the tabs of a section, which is named by the route of its first page. */
  tab?: { section: string; title: string };
  component: LazyExoticComponent<ComponentType>;
}

export const PAGES: readonly Page[] = [
  { route: ROUTES.home, title: "Home", nav: { icon: "home", key: "h" }, component: lazy(async () => ({ default: (await import("./features/home/HomePage.tsx")).HomePage })) },
  { route: ROUTES.services, title: "Services", nav: { icon: "service", key: "v" }, component: lazy(async () => ({ default: (await import("./features/services/ServicesPage.tsx")).ServicesPage })) },
  { route: ROUTES.metrics, title: "Metrics", nav: { icon: "metrics", key: "m" }, component: lazy(async () => ({ default: (await import("./features/metrics/MetricsPage.tsx")).MetricsPage })) },
  { route: ROUTES.logs, title: "Logs", nav: { icon: "logs", key: "l" }, component: lazy(async () => ({ default: (await import("./features/logs/LogsPage.tsx")).LogsPage })) },
  { route: ROUTES.traces, title: "Traces", nav: { icon: "traces", key: "t" }, component: lazy(async () => ({ default: (await import("./features/traces/TracesPage.tsx")).TracesPage })) },
  { route: ROUTES.trace, title: "Trace", nav: null, component: lazy(async () => ({ default: (await import("./features/traces/TracePage.tsx")).TracePage })) },
  { route: ROUTES.alerts, title: "Alerts", nav: { icon: "alerts", key: "a" }, tab: { section: ROUTES.alerts, title: "Rules and alerts" }, component: lazy(async () => ({ default: (await import("./features/alerts/AlertsPage.tsx")).AlertsPage })) },
  { route: ROUTES.alert, title: "Alert", nav: null, tab: { section: ROUTES.alerts, title: "" }, component: lazy(async () => ({ default: (await import("./features/alerts/AlertPage.tsx")).AlertPage })) },
  { route: ROUTES.silences, title: "Silences", nav: null, tab: { section: ROUTES.alerts, title: "Silences" }, component: lazy(async () => ({ default: (await import("./features/silences/SilencesPage.tsx")).SilencesPage })) },
  { route: ROUTES.routing, title: "Routing", nav: null, tab: { section: ROUTES.alerts, title: "Routing" }, component: lazy(async () => ({ default: (await import("./features/routing/RoutingPage.tsx")).RoutingPage })) },
  { route: ROUTES.notifications, title: "Notifications", nav: null, tab: { section: ROUTES.alerts, title: "Notifications" }, component: lazy(async () => ({ default: (await import("./features/alerts/NotificationsPage.tsx")).NotificationsPage })) },
  { route: ROUTES.editor, title: "Rule editor", nav: null, tab: { section: ROUTES.alerts, title: "Rule editor" }, component: lazy(async () => ({ default: (await import("./features/rule_editor/RuleEditorPage.tsx")).RuleEditorPage })) },
  { route: ROUTES.targets, title: "Targets", nav: { icon: "targets", key: "s" }, component: lazy(async () => ({ default: (await import("./features/targets/TargetsPage.tsx")).TargetsPage })) },
  { route: ROUTES.cardinality, title: "Cardinality", nav: { icon: "cardinality", key: "c" }, component: lazy(async () => ({ default: (await import("./features/cardinality/CardinalityPage.tsx")).CardinalityPage })) },
  { route: ROUTES.status, title: "Status", nav: { icon: "status", key: "i" }, component: lazy(async () => ({ default: (await import("./features/status/StatusPage.tsx")).StatusPage })) },
];
