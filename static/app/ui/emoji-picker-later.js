/** The emoji picker of emoji-picker.js, loaded when it is first opened. */
import { lazy } from './lazy.js';

export const EmojiPicker = lazy(() => import('./emoji-picker.js').then(({ EmojiPicker: view }) => view), { isDialog: true });
