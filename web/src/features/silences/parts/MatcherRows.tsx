/** Conditions on labels, one a row. */

import type { ReactNode } from "react";
import type { Matcher } from "../../../api/alertmanager.ts";
import { OPERATORS, matcher, operatorOf } from "../../../api/matchers.ts";
import { Button, IconButton, Input, Select } from "../../../ui/controls.tsx";
import { EMPTY_MATCHER } from "../model.ts";
import styles from "../silences.module.css";

export function MatcherRows({ matchers, onChange }: { matchers: readonly Matcher[]; onChange: (matchers: Matcher[]) => void }): ReactNode {
  const set = (index: number, next: Matcher): void => onChange(matchers.map((each, at) => (at === index ? next : each)));
  return (
    <fieldset className={styles.matchers}>
      <legend>Alerts with all of these labels</legend>
      {matchers.map((each, index) => (
        <div key={index} className={styles.matcher}>
          <Input aria-label={`Label ${index + 1}`} placeholder="label" value={each.name} onChange={(event) => set(index, { ...each, name: event.target.value })} />
          <Select aria-label={`Comparison ${index + 1}`} value={operatorOf(each)} onChange={(event) => set(index, matcher(each.name, OPERATORS.find((one) => one === event.target.value) ?? "=", each.value))}>
            {OPERATORS.map((operator) => <option key={operator}>{operator}</option>)}
          </Select>
          <Input aria-label={`Value ${index + 1}`} placeholder={each.isRegex ? "regular expression" : "value"} value={each.value} onChange={(event) => set(index, { ...each, value: event.target.value })} />
          <IconButton icon="close" label={`Remove matcher ${index + 1}`} onClick={() => onChange(matchers.filter((_, at) => at !== index))} />
        </div>
      ))}
      <div><Button small icon="plus" onClick={() => onChange([...matchers, EMPTY_MATCHER])}>Add a matcher</Button></div>
    </fieldset>
  );
}
