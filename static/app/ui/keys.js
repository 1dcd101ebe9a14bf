/** The key that, held down, makes a command of a letter: what it is called on this device's keyboard. */
export const command = /mac|iphone|ipad/i.test(navigator.userAgent) ? '⌘' : 'Ctrl';
