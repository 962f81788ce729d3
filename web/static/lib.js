/** The one door to the vendored libraries: every other module imports them from here. */
import { Fragment, h, render } from './vendor/preact.js';
import htm from './vendor/htm.js';

export { useEffect, useMemo, useRef } from './vendor/hooks.js';
export { batch, computed, effect, signal, useComputed, useSignal } from './vendor/signals.js';
export { Fragment, render };

/** Markup as a tagged template. Values become text nodes and properties, never markup. */
export const html = htm.bind(h);
