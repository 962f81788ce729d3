/** What lib.js exports, for the type checker only; never loaded by a browser. */
export interface ReadonlySignal<T> {
  readonly value: T;
  peek(): T;
}
export interface Signal<T> {
  value: T;
  peek(): T;
}
export type View = unknown;
export function html(parts: TemplateStringsArray, ...values: unknown[]): View;
export function render(view: View, into: Element): void;
export function signal<T>(value: T): Signal<T>;
export function computed<T>(read: () => T): ReadonlySignal<T>;
export function effect(run: () => void | (() => void)): () => void;
export function batch<T>(run: () => T): T;
export function useComputed<T>(read: () => T): ReadonlySignal<T>;
export function useSignal<T>(value: T): Signal<T>;
export function useEffect(run: () => void | (() => void), inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useRef<T>(value: T): { current: T };
export const Fragment: unknown;
