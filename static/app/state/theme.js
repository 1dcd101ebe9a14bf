/** Light, dark, or as the system has it. Kept per browser; applied before the first paint by theme-boot.js. */
import { signal } from '@preact/signals';

/** @typedef {'system' | 'light' | 'dark'} Theme */

const KEY = 'irongate.theme';

export const theme = signal(/** @type {Theme} */ (localStorage.getItem(KEY) ?? 'system'));

/** @param {Theme} chosen */
export function chooseTheme(chosen) {
  theme.value = chosen;
  if (chosen === 'system') {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, chosen);
    document.documentElement.dataset.theme = chosen;
  }
}
