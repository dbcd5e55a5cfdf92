import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { beforeEach, describe, expect, it } from "vitest";
import { useResource, type Resource } from "./use_resource.ts";

(globalThis as Record<string, unknown>)["IS_REACT_ACT_ENVIRONMENT"] = true;

interface Request {
  key: string;
  signal: AbortSignal;
  resolve: (value: string) => void;
  reject: (error: Error) => void;
}

let requests: Request[];
let seen: Resource<string>;
beforeEach(() => {
  requests = [];
});

function Probe({ id }: { id: string | null }): ReactNode {
  seen = useResource(id, (signal) => new Promise<string>((resolve, reject) => requests.push({ key: id ?? "", signal, resolve, reject })));
  return null;
}

async function mounted(): Promise<(id: string | null) => Promise<void>> {
  const root = createRoot(document.createElement("div"));
  return (id) => act(async () => root.render(<Probe id={id} />));
}

describe("useResource", () => {
  it("keeps old data while new data loads, and aborts what nobody waits for", async () => {
    const show = await mounted();
    await show("a");
    expect(seen).toMatchObject({ data: undefined, loading: true });
    await act(async () => requests[0]?.resolve("first"));
    expect(seen).toMatchObject({ data: "first", loading: false, loadedKey: "a" });
    await show("b");
    expect(seen).toMatchObject({ data: "first", loading: true, loadedKey: "a" });
    await show("c");
    expect(requests[1]?.signal.aborted).toBe(true);
    await act(async () => requests[1]?.resolve("late"));
    expect(seen.data).toBe("first");
    await act(async () => requests[2]?.resolve("third"));
    expect(seen).toMatchObject({ data: "third", loading: false });
  });

  it("reports a failure, keeps the data, and tries again when asked", async () => {
    const show = await mounted();
    await show("a");
    await act(async () => requests[0]?.resolve("first"));
    await act(async () => seen.reload());
    await act(async () => requests[1]?.reject(new Error("down")));
    expect(seen).toMatchObject({ data: "first", loading: false });
    expect(seen.error?.message).toBe("down");
    await act(async () => seen.reload());
    await act(async () => requests[2]?.resolve("again"));
    expect(seen).toMatchObject({ data: "again", error: null });
  });

  it("loads nothing without a key", async () => {
    const show = await mounted();
    await show(null);
    expect(requests).toHaveLength(0);
    expect(seen).toMatchObject({ data: undefined, loading: false });
  });
});
