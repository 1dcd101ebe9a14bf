/** The template tag of the dashboard: every value is escaped by construction. */
import { h } from './preact.js';
import htm from './htm.js';

export const html = htm.bind(h);
