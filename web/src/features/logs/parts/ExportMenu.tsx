/** Everything that the query finds, as a file. */

import type { ReactNode } from "react";
import { EXPORT_FORMATS, exportHref } from "../../../api/export.ts";
import { nanosOf } from "../../../api/logs.ts";
import type { TimeWindow } from "../../../time/range.ts";
import { Popover } from "../../../ui/Popover.tsx";
import { askedBy, languageOf } from "../language.ts";
import styles from "../logs.module.css";
import type { LogsView } from "../url.ts";

export function ExportMenu({ view, window }: { view: LogsView; window: TimeWindow }): ReactNode {
  const language = languageOf(view.query) === "search" ? "search" : "logql";
  return (
    <Popover label="Export" icon="table" text="Export">
      {(close) => (
        <nav aria-label="Formats" className={styles.menu}>
          {EXPORT_FORMATS.map(({ format, name, about }) => (
            <a key={format} href={exportHref({ query: askedBy(view), language, ...nanosOf(window), format })} download onClick={close}>
              <b>{name}</b>
              <span>{about}</span>
            </a>
          ))}
        </nav>
      )}
    </Popover>
  );
}
