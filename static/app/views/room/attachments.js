/**
 * The files of a message: pictures at a size that is known before they are there, so that nothing moves when they come,
 * and everything else as a card. Files are asked for with the access token, which an `<img src>` could not carry, and
 * shown from memory.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../../html.js';
import { notifyFailure } from '../../state/notices.js';
import { fileOf } from '../../state/uploads.js';
import { Dialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icon.js';
import { save } from '../../ui/save.js';
import { size } from '../../ui/size.js';

/** @typedef {import('../../net/api.js').Attachment} Attachment */

const WIDEST = 360;
const HIGHEST = 280;
const SMALLEST = 48;
/** How far from the view a picture is asked for. */
const AHEAD = '800px';

/** @param {{files: Attachment[]}} props */
export function Attachments({ files }) {
  return html`
    <ul class="attachments" aria-label="Files">
      ${files.map((file) => html`<li key=${file.id}>${file.width && file.height ? html`<${Picture} file=${file} />` : html`<${Card} file=${file} />`}</li>`)}
    </ul>`;
}

/** @param {Attachment} file */
const keep = ({ id, name }) => fileOf(id).then((blob) => save(blob, name), notifyFailure);

/** @param {{file: Attachment}} props */
function Card({ file }) {
  return html`
    <div class="file">
      <span class="file-icon"><${Icon} name="file" /></span>
      <span class="file-text"><strong>${file.name}</strong><small>${size(file.size)}</small></span>
      <button type="button" class="icon-button" aria-label="Save ${file.name}" title="Save" onClick=${() => keep(file)}><${Icon} name="down" size=${18} /></button>
    </div>`;
}

/** @param {{file: Attachment}} props */
function Picture({ file }) {
  /** @type {{current: HTMLButtonElement | null}} */
  const place = useRef(null);
  const [near, come] = useState(false);
  const [enlarged, enlarge] = useState(false);
  const { address, failed, retry } = useAddress(near || enlarged ? file.id : '');
  useEffect(() => {
    const watch = new IntersectionObserver(([{ isIntersecting }]) => { if (isIntersecting) come(true); }, { rootMargin: AHEAD });
    if (place.current) watch.observe(place.current);
    return () => watch.disconnect();
  }, []);

  const { width, height } = fitted(/** @type {number} */ (file.width), /** @type {number} */ (file.height));
  return html`
    <button type="button" ref=${place} class="picture" aria-label=${failed ? `Load ${file.name} again` : `Enlarge ${file.name}`}
      style=${{ width: `${width}px`, aspectRatio: `${width} / ${height}` }} onClick=${() => (failed ? retry() : enlarge(true))}>
      ${address && html`<img src=${address} alt="" decoding="async" />`}
      ${failed && html`<span class="picture-failed"><${Icon} name="retry" size=${18} />Not loaded</span>`}
    </button>
    ${enlarged && html`
      <${Dialog} title=${file.name} size="full" onClose=${() => enlarge(false)}>
        <div class="enlarged">${address && html`<img src=${address} alt=${file.name} />`}</div>
        <div class="actions"><span class="is-soft">${file.width} × ${file.height}, ${size(file.size)}</span><button type="button" class="button" onClick=${() => keep(file)}><${Icon} name="down" size=${16} />Save</button></div>
      <//>`}`;
}

/** As large as the conversation has room for, and large enough to be hit. @param {number} width @param {number} height */
function fitted(width, height) {
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  return { width: Math.max(SMALLEST, Math.round(width * scale)), height: Math.max(SMALLEST, Math.round(height * scale)) };
}

/** An address by which the page can show a file, for as long as it does. @param {string} id empty: not yet */
function useAddress(id) {
  const [address, setAddress] = useState('');
  const [failed, setFailed] = useState(false);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (!id) return undefined;
    const gone = new AbortController();
    let made = '';
    setFailed(false);
    fileOf(id, gone.signal).then((blob) => {
      if (gone.signal.aborted) return;
      made = URL.createObjectURL(blob);
      setAddress(made);
    }).catch(() => { if (!gone.signal.aborted) setFailed(true); });
    return () => {
      gone.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [id, attempt]);
  return { address, failed, retry: () => setAttempt(attempt + 1) };
}
