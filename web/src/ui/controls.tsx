/** The small controls: buttons, inputs, choices. They know nothing of routes or data. */

import { useState, type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes } from "react";
import { Icon, type IconName } from "./Icon.tsx";
import styles from "./controls.module.css";

/** Class names that are set, joined. */
export function classes(...names: (string | false | undefined)[]): string {
  return names.filter((name) => typeof name === "string" && name !== "").join(" ");
}

/** The classes of a button, for links that look like one. */
export function buttonClass(look: "normal" | "primary" | "quiet", small: boolean): string {
  return classes(styles.button, look === "primary" && styles.primary, look === "quiet" && styles.quiet, small && styles.small);
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "normal" | "primary" | "quiet";
  small?: boolean;
  icon?: IconName;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ look = "normal", small = false, icon, children, className, ...rest }: ButtonProps): ReactNode {
  return (
    <button type="button" {...rest} className={classes(buttonClass(look, small), className)}>
      {icon !== undefined && <Icon name={icon} size={small ? 13 : 15} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonProps {
  icon: IconName;
  /** The accessible name, also the tooltip. */
  label: string;
  pressed?: boolean;
}

export function IconButton({ icon, label, pressed, look = "quiet", small = false, className, ...rest }: IconButtonProps): ReactNode {
  return (
    <button
      type="button"
      title={label}
      {...rest}
      aria-label={label}
      aria-pressed={pressed}
      className={classes(buttonClass(look, small), styles.icon, pressed === true && styles.pressed, className)}
    >
      <Icon name={icon} size={small ? 13 : 16} />
    </button>
  );
}

interface InputProps extends InputHTMLAttributes<HTMLInputElement> {
  invalid?: boolean;
  ref?: Ref<HTMLInputElement>;
}

export function Input({ invalid = false, className, ...rest }: InputProps): ReactNode {
  return <input {...rest} spellCheck={false} autoComplete="off" aria-invalid={invalid || undefined} className={classes(styles.input, invalid && styles.invalid, className)} />;
}

export function Select({ className, ...rest }: SelectHTMLAttributes<HTMLSelectElement>): ReactNode {
  return <select {...rest} className={classes(styles.select, className)} />;
}

export function Field({ label, children, className }: { label: string; children: ReactNode; className?: string | undefined }): ReactNode {
  return (
    <label className={classes(styles.field, className)}>
      <span className={styles.fieldLabel}>{label}</span>
      {children}
    </label>
  );
}

/** One of few, all visible. Arrow keys move the choice. */
export function Segmented<Value extends string>({ label, value, options, onChange }: {
  label: string;
  value: Value;
  options: readonly { value: Value; label: string }[];
  onChange: (value: Value) => void;
}): ReactNode {
  return (
    <div
      role="radiogroup"
      aria-label={label}
      className={styles.segmented}
      onKeyDown={(event) => {
        const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (by === 0) return;
        event.preventDefault();
        const at = options.findIndex((option) => option.value === value);
        const next = (at + by + options.length) % options.length;
        const chosen = options[next];
        if (chosen !== undefined) onChange(chosen.value);
        (event.currentTarget.children[next] as HTMLElement | undefined)?.focus();
      }}
    >
      {options.map((option) => (
        <button key={option.value} type="button" role="radio" aria-checked={option.value === value} tabIndex={option.value === value ? 0 : -1} className={styles.segment} onClick={() => onChange(option.value)}>
          {option.label}
        </button>
      ))}
    </div>
  );
}

export function Kbd({ children }: { children: ReactNode }): ReactNode {
  return <kbd className={styles.kbd}>{children}</kbd>;
}

/** Copies a text; says so for a moment. */
export function CopyButton({ value, label }: { value: string; label: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  return (
    <IconButton
      small
      icon={copied ? "check" : "copy"}
      label={copied ? "Copied" : label}
      onClick={(event) => {
        event.stopPropagation();
        navigator.clipboard.writeText(value).then(
          () => {
            setCopied(true);
            setTimeout(() => setCopied(false), 1_200);
          },
          () => setCopied(false),
        );
      }}
    />
  );
}
