/** A panel that opens below its button; closes by Escape, by a click elsewhere, and gives the focus back. */

import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { buttonClass } from "./controls.tsx";
import { Icon, type IconName } from "./Icon.tsx";
import styles from "./overlay.module.css";

export function Popover({ label, icon, text, align = "right", children }: {
  /** The accessible name of button and panel. */
  label: string;
  icon?: IconName;
  text: ReactNode;
  align?: "left" | "right";
  children: (close: () => void) => ReactNode;
}): ReactNode {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false);
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener("pointerdown", outside, true);
    document.addEventListener("keydown", escape, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      document.removeEventListener("keydown", escape, true);
    };
  }, [open]);

  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div ref={root} className={styles.anchor}>
      <button ref={button} type="button" className={buttonClass("normal", false)} aria-haspopup="dialog" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={label} onClick={() => setOpen(!open)}>
        {icon !== undefined && <Icon name={icon} size={15} />}
        {text}
        <Icon name="chevronDown" size={11} />
      </button>
      {open && (
        <div id={id} role="dialog" aria-label={label} className={styles.popover} data-align={align}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
