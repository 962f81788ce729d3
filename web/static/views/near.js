/** Which elements are on the screen or close to it, so that rows nobody sees cost nothing. */
import { signal, useEffect, useMemo, useRef } from '../lib.js';

/** How far beyond the screen counts as near. */
const MARGIN = '400px';

/** @type {WeakMap<Element, import('../lib').Signal<boolean>>} */
const watched = new WeakMap();

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const near = watched.get(target);
      if (near) near.value = isIntersecting;
    }
  },
  { rootMargin: MARGIN },
);

/** A ref to put on an element, and whether that element is near; true until known otherwise. */
export function useNear() {
  const ref = useRef(/** @type {Element | null} */ (null));
  const near = useMemo(() => signal(true), []);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    watched.set(element, near);
    observer.observe(element);
    return () => observer.unobserve(element);
  }, []);
  return { ref, near };
}
