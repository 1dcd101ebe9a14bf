/** The template tag of the dashboard: every value is escaped by construction. */
import { h } from './vendor/preact.js';
import htm from './vendor/htm.js';

export const html = htm.bind(h);
