/**
 * The one template tag of the application. `html` escapes every value by construction: text reaches the page as text
 * nodes and attributes as properties, and there is no door for raw markup at all.
 */
import { h } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);
