/** One way to ask the server: same origin, JSON, an error that says what the caller can do. */

/** A refusal of the server, or no answer at all (`status` 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** Kind as the API spells it (`bad_data`, `timeout`), the empty text when it gave none. */
  readonly kind: string;

  constructor(message: string, status: number, kind: string) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

export type Query = readonly (readonly [string, string])[];

/** Answer of a GET as JSON. */
export function getJson(path: string, query: Query, signal: AbortSignal, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const search = new URLSearchParams(query.map(([name, value]) => [name, value]));
  const text = search.toString();
  return request(text === "" ? path : `${path}?${text}`, { signal, headers: { accept: "application/json", ...headers } });
}

/** Answer of a POST of a form: for queries that may be longer than a URL. */
export function postForm(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
  const body = new URLSearchParams(query.map(([name, value]) => [name, value]));
  return request(path, { method: "POST", body, signal, headers: { accept: "application/json" } });
}

/** Answer of a POST of JSON. */
export function postJson(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  return request(path, {
    method: "POST",
    body: JSON.stringify(body),
    signal,
    headers: { accept: "application/json", "content-type": "application/json" },
  });
}

/** As `postForm`; integers that no number holds exactly come as text. */
export function postFormExact(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
  const body = new URLSearchParams(query.map(([name, value]) => [name, value]));
  return request(path, { method: "POST", body, signal, headers: { accept: "application/json" } }, exact);
}

/** What a GET answers, as text: YAML, for instance. */
export async function getText(path: string, signal: AbortSignal): Promise<string> {
  const { response, text } = await exchange(path, { signal });
  if (!response.ok) throw refusal(response.status, parse(text), text);
  return text;
}

/** Changes something; what the answer says beside that it went well is given as text. */
export async function change(method: "POST" | "DELETE", path: string, body: { type: string; text: string } | null, signal: AbortSignal): Promise<string> {
  const content = body === null ? {} : { body: body.text, headers: { "content-type": body.type } };
  const { response, text } = await exchange(path, { method, signal, ...content });
  if (!response.ok) throw refusal(response.status, parse(text), text);
  return text;
}

function exact(_name: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source !== undefined ? context.source : value;
}

async function request(url: string, init: RequestInit, revive?: (name: string, value: unknown) => unknown): Promise<unknown> {
  const { response, text } = await exchange(url, init);
  const body = parse(text, revive);
  if (!response.ok) throw refusal(response.status, body, text);
  if (body === undefined) throw new ApiError(`The server answered ${url.split("?")[0] ?? url} with something that is not JSON.`, response.status, "format");
  return body;
}

async function exchange(url: string, init: RequestInit): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(url, init);
    return { response, text: await response.text() };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is Signalbox running, and is the network up?", 0, "network");
  }
}

function parse(text: string, revive?: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive);
  } catch {
    return undefined;
  }
}

/** The error of an answer, whichever dialect it speaks: Prometheus, Jaeger, Loki's plain text, Alertmanager's JSON text, our own. */
export function refusal(status: number, body: unknown, text: string): ApiError {
  if (typeof body === "string" && body !== "") return new ApiError(body, status, "");
  if (isObject(body)) {
    const { error, errorType, errors, message } = body;
    if (typeof error === "string") return new ApiError(error, status, typeof errorType === "string" ? errorType : "");
    if (isObject(error) && typeof error["message"] === "string") return new ApiError(error["message"], status, typeof error["kind"] === "string" ? error["kind"] : "");
    if (Array.isArray(errors) && isObject(errors[0]) && typeof errors[0]["msg"] === "string") return new ApiError(errors[0]["msg"], status, "");
    if (typeof message === "string") return new ApiError(message, status, "");
  }
  const plain = text.trim();
  const readable = plain !== "" && plain.length < 2_000 && !plain.startsWith("<");
  return new ApiError(readable ? plain : `The server answered with status ${status}.`, status, "");
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as a list; anything else is the empty one. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as text; anything else is the empty one. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The texts of an object, as labels. */
export function texts(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, typeof each === "string" ? each : JSON.stringify(each)]));
}
