/** A user agent's string, as a person would say it. @param {string | null} agent */
export function deviceName(agent) {
  const pick = (/** @type {[RegExp, string][]} */ names) => names.find(([pattern]) => pattern.test(agent ?? ''))?.[1];
  const browser = pick([[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrom(e|ium)\//, 'Chrome'], [/Safari\//, 'Safari'], [/curl\//, 'curl']]);
  const system = pick([[/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Android/, 'Android'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'], [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux']]);
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? agent?.slice(0, 60) ?? 'Unknown device';
}
