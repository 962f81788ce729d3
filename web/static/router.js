/** Which page is shown, from the path and the query, and moving between pages without loading anew. */
import { signal } from './lib.js';
import { BASE } from './api.js';

/** @typedef {'now' | 'history' | 'statistics' | 'workers' | 'queue' | 'operation' | 'unknown'} PageName */
/** @typedef {{ page: PageName, id: string }} Route */

/** The pages with an address of their own, as the navigation shows them. @type {[PageName, string, string][]} */
export const PAGES = [
  ['now', '', 'Now'],
  ['history', 'history', 'History'],
  ['statistics', 'statistics', 'Statistics'],
  ['workers', 'workers', 'Workers'],
  ['queue', 'queue', 'Queue work'],
];

/** Pages that list operations: from one of them people go to an operation, and back to it. */
const LISTS = new Set(['now', 'history']);

export const route = signal(routeOf(location.pathname));
/** The query of the page, kept in the URL so that a filtered list or one attempt can be shared. */
export const query = signal(new URLSearchParams(location.search));
/** The operation last looked at, where the keyboard goes on in the list. */
export const lastSeen = signal('');

/** @param {string} path @returns {Route} */
function routeOf(path) {
  const rest = path.startsWith(BASE) ? path.slice(BASE.length) : path;
  const found = /^\/operations\/([^/]+)\/?$/.exec(rest);
  if (found) return { page: 'operation', id: decoded(found[1] ?? '') };
  const place = rest.replace(/^\/|\/$/g, '');
  return { page: PAGES.find(([, path]) => path === place)?.[0] ?? 'unknown', id: '' };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The list last looked at, with its filter. */
let lastList = `${BASE}/`;

/** @param {string} path  below the base, without a slash before it */
export const pagePath = (path) => `${BASE}/${path}`;

/** The list last looked at, as it was left. */
export const listPath = () => lastList;

/** @param {string} id */
export const operationPath = (id) => `${BASE}/operations/${encodeURIComponent(id)}`;

/** @param {string} id @param {number} number */
export const attemptPath = (id, number) => `${operationPath(id)}?attempt=${number}`;

/** @param {string} url */
export function go(url) {
  remember();
  history.replaceState({ top: scrollY }, '');
  history.pushState({ top: 0 }, '', url);
  arrive(0);
}

/** @param {string} name @param {string} value */
export function setQuery(name, value) {
  const next = new URLSearchParams(location.search);
  if (value) next.set(name, value);
  else next.delete(name);
  const text = next.toString();
  history.replaceState(history.state, '', location.pathname + (text ? `?${text}` : ''));
  query.value = next;
}

/** Before the page is left. */
function remember() {
  if (LISTS.has(route.peek().page)) lastList = location.pathname + location.search;
}

/** @param {number} top */
function arrive(top) {
  if (route.peek().page === 'operation') lastSeen.value = route.peek().id;
  route.value = routeOf(location.pathname);
  query.value = new URLSearchParams(location.search);
  requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, top)));
}

/** @param {MouseEvent} event */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest('a[data-inside]') : null;
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!(link instanceof HTMLAnchorElement) || !plain || event.defaultPrevented) return;
  event.preventDefault();
  go(link.href);
}

export function startRouter() {
  history.scrollRestoration = 'manual';
  document.addEventListener('click', follow);
  addEventListener('popstate', (event) => arrive(event.state?.top ?? 0));
}
