/** Light or dark. */
import { html } from '../../html.js';
import { chooseTheme, theme } from '../../state/theme.js';

/** @type {[import('../../state/theme.js').Theme, string, string][]} */
const THEMES = [['system', 'As the system', 'Follows your device.'], ['light', 'Light', ''], ['dark', 'Dark', '']];

export function Appearance() {
  return html`
    <h2>Appearance</h2>
    <fieldset class="choices">
      <legend>Theme</legend>
      ${THEMES.map(([value, title, text]) => html`
        <label class="choice" key=${value}>
          <input type="radio" name="theme" value=${value} checked=${theme.value === value} onChange=${() => chooseTheme(value)} />
          <span class="swatch is-${value}" aria-hidden="true"></span>
          <span><strong>${title}</strong>${text && html`<small>${text}</small>`}</span>
        </label>`)}
    </fieldset>`;
}
