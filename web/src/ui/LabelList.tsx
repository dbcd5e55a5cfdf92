/** Labels as small chips, and values that may hold addresses. */

import { Fragment, type ReactNode } from "react";
import { classes } from "./controls.tsx";
import styles from "./label_list.module.css";

/** A set of labels; those in `without` are left out, and no label at all is said in words. */
export function LabelList({ labels, without = [], className }: { labels: Readonly<Record<string, string>>; without?: readonly string[]; className?: string | undefined }): ReactNode {
  const shown = Object.entries(labels).filter(([name]) => !without.includes(name));
  return (
    <span className={classes(styles.list, className)}>
      {shown.map(([name, value]) => <span key={name} className={styles.chip}><i>{name}</i>={value}</span>)}
      {shown.length === 0 && <span className={styles.none}>no {without.length > 0 ? "other " : ""}labels</span>}
    </span>
  );
}

/** Texts such as matchers as chips. */
export function ChipList({ texts }: { texts: readonly string[] }): ReactNode {
  return <span className={styles.list}>{texts.map((text, index) => <span key={`${text} ${index}`} className={styles.chip}>{text}</span>)}</span>;
}

const ADDRESS = /(https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]])/;

/** A text whose addresses can be followed. */
export function LinkedText({ text }: { text: string }): ReactNode {
  return text.split(ADDRESS).map((part, index) => (
    index % 2 === 1
      ? <a key={index} href={part} target="_blank" rel="noreferrer noopener">{part}</a>
      : <Fragment key={index}>{part}</Fragment>
  ));
}
