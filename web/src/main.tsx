/** Entry: styles, theme, and the shell. */

import "./ui/fonts.css";
import "./ui/tokens.css";
import "./ui/base.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TimeProvider } from "./location.tsx";
import { Shell } from "./shell/Shell.tsx";
import { applyTheme, storedTheme } from "./ui/theme.ts";

applyTheme(storedTheme());
const root = document.getElementById("root");
if (root === null) throw new Error("the page has no element #root");
createRoot(root).render(
  <StrictMode>
    <TimeProvider>
      <Shell />
    </TimeProvider>
  </StrictMode>,
);
