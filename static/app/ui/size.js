/** How large a file is, as people say it. @param {number} bytes */
export function size(bytes) {
  const units = ['byte', 'kilobyte', 'megabyte'];
  const step = bytes < 1_000 ? 0 : bytes < 1_000_000 ? 1 : 2;
  const options = /** @type {const} */ ({ style: 'unit', unit: units[step], unitDisplay: step ? 'short' : 'long', maximumFractionDigits: step === 2 ? 1 : 0 });
  return new Intl.NumberFormat(undefined, options).format(bytes / 1_000 ** step);
}
