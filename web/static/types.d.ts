/** The shapes that come over HTTP and the WebSocket, for the type checker only. */
export type Status = 'queued' | 'running' | 'complete' | 'error' | 'cancelled' | 'lost';
export type StepStatus = 'pending' | 'running' | 'complete' | 'error' | 'skipped' | 'cancelled';

export interface Failure {
  type: string;
  message: string;
  path?: string[];
  traceback?: string;
  /** Index of the operation's own step, 0 for none. */
  step?: number;
  log?: string[];
}
export interface Worker {
  host: string;
  pid: number;
  queue?: string;
}
/** Fields at their default may be left out. */
export interface Step {
  index: number;
  name: string;
  status?: StepStatus;
  started?: number | null;
  duration?: number | null;
  current?: number | null;
  total?: number | null;
  unit?: string;
  detail?: string;
  error?: string;
  /** Seconds after which it is over time. */
  warn_after?: number | null;
  warned?: number;
  warning?: string;
  reused?: boolean;
}
export interface CurrentStep {
  index: number;
  name: string;
  total: number | null;
  current: number | null;
  of: number | null;
  unit: string;
}
export type Counts = Record<Status, number> & { total: number; version: number };
export interface Operation {
  id: string;
  name: string;
  title: string;
  status: Status;
  created: number;
  /** When one that is queued may begin, if that was said. */
  next_at?: number | null;
  flags: string[];
  /** Who wants it to end, and since when. */
  cancel: { by: string; at: number; run?: string } | null;
  attempt: number;
  run: string;
  rev: number;
  parent: string;
  batch: boolean;
  labels: Record<string, string>;
  worker: Worker | null;
  started: number | null;
  ended: number | null;
  duration: number | null;
  step: CurrentStep | null;
  error: Failure | null;
  warned: number;
  children: Counts;
  args: Record<string, unknown> | null;
  release: string;
  app: string;
  steps: Step[] | null;
}
/** Numbered per attempt from 1. */
export interface LogLine {
  number: number;
  ts: number;
  text: string;
  step?: number;
  level?: string;
  attempt?: number;
}
/** How long a step takes: seconds within which that share of its last `count` successes ended. */
export interface Usual {
  name: string;
  count: number;
  p50: number;
  p95: number;
}
/** Children that failed alike. */
export interface FailureGroup {
  type: string;
  message: string;
  step: string;
  count: number;
  examples: string[];
}
/** Stored changes of an operation; `rev` is that of the last of its events. */
export interface Change {
  rev: number;
  attempt: number;
  events: { type: string; ts: number }[];
  hole?: boolean;
}
export interface LiveEvent {
  type: string;
  ts: number;
  operation: Operation;
  step: Step | null;
  log?: LogLine | null;
}
export interface Message {
  type: string;
  topic?: string;
  cursor?: string;
  operations?: Operation[];
  events?: LiveEvent[];
  reason?: string;
  detail?: string;
  lagging?: boolean;
  problem?: string;
  now?: number;
  version?: string;
  retry_after?: number;
}
/**
 * What is held of one topic. `steps` and `logs` are filled for the topic of one operation only; `logs` are the last lines
 * heard since the last snapshot, with holes where lines came faster than they were told. `operations` is one map for as
 * long as the topic is shown, changed in place; a new `Held` around it says that it changed.
 */
export interface Held {
  ready: boolean;
  operations: Map<string, Operation>;
  /** How many operations were left when the oldest were last dropped. */
  kept: number;
  run: string;
  steps: Step[];
  logs: LogLine[];
  /** Why the operation of the topic is not held although it is stored; empty if that is not so. */
  problem: string;
}
/** What messages changed in what is held. */
export interface News {
  /** Ids of operations that are new, different or gone. */
  changed: Set<string>;
  /** Operations that were seen open and have ended. */
  ended: Operation[];
  /** Whether any came, went, or belongs elsewhere in a list. */
  moved: boolean;
}
