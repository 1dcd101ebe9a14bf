/** A QR code, drawn as one path. The encoder is loaded when the first code is shown. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';

/** @param {{text: string, label: string}} props */
export function QrCode({ text, label }) {
  const [rows, setRows] = useState(/** @type {boolean[][]} */ ([]));
  useEffect(() => {
    import('uqr').then(({ encode }) => setRows(encode(text, { border: 0 }).data));
  }, [text]);
  const path = rows.map((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('');
  return html`<svg class="qr" viewBox="0 0 ${rows.length || 1} ${rows.length || 1}" role="img" aria-label=${label}><path d=${path} fill="#000" shape-rendering="crispEdges" /></svg>`;
}
