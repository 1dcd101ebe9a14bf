/** One quiet line while the connection is away. A blink shows nothing: most reconnects are over before anybody reads. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import { connection } from '../../state/chat.js';

const PATIENCE_MS = 1_500;

export function ConnectionLine() {
  const { phase, code } = connection.value;
  const away = phase !== 'online';
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(away), away ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [away]);
  if (!shown || !away) return null;
  return html`<p class="connection-line" role="status">${phase === 'stopped' ? stopped(code) : 'Reconnecting… You can go on writing; it will be sent.'}</p>`;
}

/** @param {number | undefined} code */
function stopped(code) {
  if (code === 4409) return 'Irongate is open in too many windows. Close one and reload this page.';
  return 'The live connection was closed by the server. Reload the page to try again.';
}
