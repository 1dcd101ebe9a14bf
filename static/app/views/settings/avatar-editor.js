/** Choosing a picture and the square of it that others see: drag to move, slide to come closer, arrow keys do both. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { notify } from '../../state/notices.js';
import { Dialog } from '../../ui/dialog.js';
import { FormError } from '../entry/form-error.js';

const SIDE = 512;
const SHOWN = 280;
const CLOSEST = 4;
const STEP = 8;

/** @param {{file: File, onSaved: (answer: {etag: string | null}) => void, onClose: () => void}} props */
export function AvatarEditor({ file, onSaved, onClose }) {
  /** @type {{current: HTMLCanvasElement | null}} */
  const canvas = useRef(null);
  const [picture, setPicture] = useState(/** @type {ImageBitmap | null} */ (null));
  // The middle of the square, as parts of the picture, and how much closer than "all of it" it is.
  const [view, setView] = useState({ x: 0.5, y: 0.5, zoom: 1 });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  useEffect(() => {
    createImageBitmap(file).then(setPicture, () => setError(new Error('This file is not a picture that your browser can read. Try a JPEG, PNG or WebP.')));
  }, [file]);
  useEffect(() => { if (canvas.current && picture) draw(canvas.current, picture, view); }, [picture, view]);

  /** Moves the square over the picture by pixels of the page. @param {number} dx @param {number} dy */
  function move(dx, dy) {
    if (!picture) return;
    const scale = (shorter(picture) / view.zoom) / SHOWN;
    setView(inside({ ...view, x: view.x + (dx * scale) / picture.width, y: view.y + (dy * scale) / picture.height }, picture));
  }

  /** @param {PointerEvent} event */
  function drag(event) {
    if (event.buttons) move(-event.movementX, -event.movementY);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const [dx, dy] = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] })[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    move(dx, dy);
  }

  async function save() {
    if (!picture) return;
    setBusy(true);
    setError(null);
    try {
      const square = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
      draw(square, picture, view);
      const blob = await new Promise((resolve) => square.toBlob(resolve, 'image/png'));
      onSaved(await api.setAvatar(/** @type {Blob} */ (blob)));
      notify('Picture saved');
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} title="Your picture" onClose=${onClose}>
      <div class="stack">
        <${FormError} error=${error} />
        <canvas ref=${canvas} class="crop" width=${SIDE} height=${SIDE} tabindex="0" role="img" aria-label="The part of the picture that others see. Arrow keys move it."
          onPointerDown=${(/** @type {any} */ event) => event.currentTarget.setPointerCapture(event.pointerId)} onPointerMove=${drag} onKeyDown=${key}></canvas>
        <label class="field"><span>Closer</span>
          <input type="range" min="1" max=${CLOSEST} step="0.01" value=${view.zoom} disabled=${!picture}
            onInput=${(/** @type {any} */ event) => picture && setView(inside({ ...view, zoom: Number(event.currentTarget.value) }, picture))} /></label>
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button type="button" class="button is-primary" disabled=${busy || !picture} onClick=${save}>${busy ? 'Saving…' : 'Use picture'}</button>
        </div>
      </div>
    <//>`;
}

/** @param {ImageBitmap} picture */
const shorter = ({ width, height }) => Math.min(width, height);

/** Keeps the square within the picture. @param {{x: number, y: number, zoom: number}} view @param {ImageBitmap} picture */
function inside({ x, y, zoom }, picture) {
  const half = shorter(picture) / zoom / 2;
  const within = (/** @type {number} */ at, /** @type {number} */ length) => Math.min(Math.max(at, half / length), 1 - half / length);
  return { zoom, x: within(x, picture.width), y: within(y, picture.height) };
}

/** @param {HTMLCanvasElement} canvas @param {ImageBitmap} picture @param {{x: number, y: number, zoom: number}} view */
function draw(canvas, picture, { x, y, zoom }) {
  const side = shorter(picture) / zoom;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingQuality = 'high';
  // Behind what a picture leaves transparent.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, SIDE, SIDE);
  context.drawImage(picture, x * picture.width - side / 2, y * picture.height - side / 2, side, side, 0, 0, SIDE, SIDE);
}
