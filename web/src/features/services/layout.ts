/**
 * Where the boxes of a service map stand: in columns from callers to called, ordered so that few lines cross.
 * Lines over several columns go through free places, so that none runs through a box. Pure; units are columns and rows.
 */

export interface Point {
  column: number;
  row: number;
}

export interface Layout {
  places: ReadonlyMap<string, Point>;
  /** The points that each edge goes through, from client to server, in the order of the edges. */
  paths: readonly (readonly Point[])[];
  columns: number;
  rows: number;
}

export interface Edge {
  client: string;
  server: string;
}

/** Times that the columns are put in order, to and fro. */
const SWEEPS = 8;
/** Times that boxes move towards those that they are joined with. */
const SETTLINGS = 6;

export function layout(names: readonly string[], edges: readonly Edge[]): Layout {
  const known = new Set(names);
  const joined = edges.filter(({ client, server }) => known.has(client) && known.has(server) && client !== server);
  const forward = acyclic([...names].sort(), joined);
  const columnOf = columns(names, forward);
  const { slots, links, chains } = withWaypoints(names, forward, columnOf);
  order(slots, links);
  const rowOf = settle(slots, links);
  const at = (id: string): Point => ({ column: columnOf.get(id) ?? Number(/^(\d+) /.exec(id)?.[1] ?? 0), row: rowOf.get(id) ?? 0 });
  const paths = edges.map(({ client, server }): Point[] => {
    const chain = chains.get(key(client, server));
    if (chain !== undefined) return chain.map(at);
    return (chains.get(key(server, client)) ?? []).map(at).reverse();
  });
  return {
    places: new Map(names.map((name) => [name, at(name)])),
    paths,
    columns: slots.length,
    rows: Math.max(0, ...[...rowOf.values()].map((row) => row + 1)),
  };
}

const key = (from: string, to: string): string => JSON.stringify([from, to]);

/** Edges without cycles: those that lead back are turned. Each pair once. */
function acyclic(names: readonly string[], edges: readonly Edge[]): [string, string][] {
  const targets = new Map(names.map((name) => [name, [...new Set(edges.filter((edge) => edge.client === name).map((edge) => edge.server))].sort()]));
  const called = new Set(edges.map((edge) => edge.server));
  const found = new Map<string, [string, string]>();
  const state = new Map<string, "open" | "done">();
  const visit = (name: string): void => {
    state.set(name, "open");
    for (const target of targets.get(name) ?? []) {
      const pair: [string, string] = state.get(target) === "open" ? [target, name] : [name, target];
      if (!found.has(key(pair[1], pair[0]))) found.set(key(...pair), pair);
      if (!state.has(target)) visit(target);
    }
    state.set(name, "done");
  };
  // Nobody calls the first ones: from there the calls go.
  for (const name of [...names.filter((each) => !called.has(each)), ...names]) if (!state.has(name)) visit(name);
  return [...found.values()];
}

/** The column of each name: one behind the last of its callers. */
function columns(names: readonly string[], edges: readonly [string, string][]): Map<string, number> {
  const callers = new Map(names.map((name) => [name, edges.filter(([, to]) => to === name).map(([from]) => from)]));
  const found = new Map<string, number>();
  const of = (name: string): number => {
    const present = found.get(name);
    if (present !== undefined) return present;
    const column = Math.max(-1, ...(callers.get(name) ?? []).map(of)) + 1;
    found.set(name, column);
    return column;
  };
  for (const name of names) of(name);
  return found;
}

/** Columns of boxes and of the free places that long lines go through; each chain has the places of one line. */
function withWaypoints(names: readonly string[], edges: readonly [string, string][], columnOf: ReadonlyMap<string, number>): { slots: string[][]; links: [string, string][]; chains: Map<string, string[]> } {
  const slots: string[][] = Array.from({ length: Math.max(0, ...columnOf.values()) + (names.length === 0 ? 0 : 1) }, () => []);
  for (const name of names) slots[columnOf.get(name) ?? 0]?.push(name);
  const links: [string, string][] = [];
  const chains = new Map<string, string[]>();
  for (const [from, to] of edges) {
    const chain = [from];
    for (let column = (columnOf.get(from) ?? 0) + 1; column < (columnOf.get(to) ?? 0); column += 1) {
      const waypoint = `${column} ${key(from, to)}`;
      slots[column]?.push(waypoint);
      chain.push(waypoint);
    }
    chain.push(to);
    chains.set(key(from, to), chain);
    chain.slice(1).forEach((each, index) => links.push([chain[index] ?? "", each]));
  }
  return { slots, links, chains };
}

type Neighbours = ReadonlyMap<string, readonly string[]>;

function neighbours(links: readonly [string, string][], from: 0 | 1): Neighbours {
  const found = new Map<string, string[]>();
  for (const link of links) found.set(link[from], [...(found.get(link[from]) ?? []), link[from === 0 ? 1 : 0]]);
  return found;
}

/** Puts each column in the order of the means of its neighbours, to and fro. */
function order(slots: string[][], links: readonly [string, string][]): void {
  const [after, before] = [neighbours(links, 0), neighbours(links, 1)];
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForth = sweep % 2 === 0;
    for (let step = 1; step < slots.length; step += 1) {
      const column = isForth ? step : slots.length - 1 - step;
      const beside = slots[column + (isForth ? -1 : 1)] ?? [];
      const index = new Map(beside.map((name, at) => [name, at]));
      const own = slots[column] ?? [];
      const weight = new Map(own.map((name, at) => [name, mean(((isForth ? before : after).get(name) ?? []).map((each) => index.get(each) ?? 0), at)]));
      slots[column] = own.map((name, at) => ({ name, at })).sort((left, right) => (weight.get(left.name) ?? 0) - (weight.get(right.name) ?? 0) || left.at - right.at).map(({ name }) => name);
    }
  }
}

/** Rows: each box as near to its neighbours as the order of its column and a row of distance allow. */
function settle(slots: readonly (readonly string[])[], links: readonly [string, string][]): Map<string, number> {
  const [after, before] = [neighbours(links, 0), neighbours(links, 1)];
  const tallest = Math.max(0, ...slots.map((column) => column.length));
  const rows = new Map<string, number>();
  for (const column of slots) column.forEach((name, index) => rows.set(name, index + (tallest - column.length) / 2));
  for (let round = 0; round < SETTLINGS; round += 1) {
    for (const column of round % 2 === 0 ? slots : [...slots].reverse()) {
      const wanted = column.map((name) => mean([...(before.get(name) ?? []), ...(after.get(name) ?? [])].map((each) => rows.get(each) ?? 0), rows.get(name) ?? 0));
      spread(wanted).forEach((row, index) => rows.set(column[index] ?? "", row));
    }
  }
  const first = rows.size === 0 ? 0 : Math.min(...rows.values());
  for (const [name, row] of rows) rows.set(name, row - first);
  return rows;
}

/** Rows near to the wanted ones, ascending, at least one apart. */
export function spread(wanted: readonly number[]): number[] {
  // Blocks of boxes that touch stand where their mean wants to be.
  const blocks: { sum: number; count: number }[] = [];
  wanted.forEach((row, index) => {
    blocks.push({ sum: row - index, count: 1 });
    for (;;) {
      const [last, previous] = [blocks.at(-1), blocks.at(-2)];
      if (last === undefined || previous === undefined || previous.sum / previous.count <= last.sum / last.count) break;
      blocks.splice(-2, 2, { sum: previous.sum + last.sum, count: previous.count + last.count });
    }
  });
  const found: number[] = [];
  for (const { sum, count } of blocks) for (let each = 0; each < count; each += 1) found.push(sum / count + found.length);
  return found;
}

function mean(values: readonly number[], otherwise: number): number {
  return values.length === 0 ? otherwise : values.reduce((sum, value) => sum + value, 0) / values.length;
}
