/** Creating an account: the server's own rules are shown while typing, its last word after sending. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { Field } from '../../ui/field.js';
import { FormError } from './form-error.js';
import { onward } from './entry.js';

/** @typedef {{username: string, email: string, password: string}} Form */

export function Register() {
  const [form, setForm] = useState({ username: '', email: '', password: '' });
  const [left, setLeft] = useState(/** @type {Set<string>} */ (new Set()));
  const [rules, setRules] = useState(/** @type {api.Rules | null} */ (null));
  const [refused, setRefused] = useState(/** @type {Record<string, string[]>} */ ({}));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);

  // Without the rules the form still works; the server checks everything again anyway.
  useEffect(() => { api.rules().then(setRules, () => {}); }, []);

  const broken = rules ? check(form, rules) : {};
  /** @param {keyof Form} name */
  const field = (name) => ({
    name,
    value: form[name],
    onInput: (/** @type {string} */ value) => {
      setForm({ ...form, [name]: value });
      setRefused({ ...refused, [name]: [] });
    },
    onBlur: () => { if (form[name]) setLeft(new Set(left).add(name)); },
    error: refused[name]?.[0] ?? (left.has(name) ? broken[name] : undefined),
  });

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setLeft(new Set(Object.keys(form)));
    if (Object.keys(broken).length) return;
    setBusy(true);
    setError(null);
    try {
      await api.register({ ...form, username: form.username.trim(), email: form.email.trim() });
      await api.signIn(form.username.trim(), form.password);
    } catch (problem) {
      if (problem instanceof Problem) setRefused(problem.fields);
      setError(problem);
    } finally {
      setBusy(false);
    }
  }

  return html`
    <form class="card" onSubmit=${submit} novalidate>
      <h1>Create an account</h1>
      <${FormError} error=${error} fields=${['username', 'email', 'password']} />
      <${Field} label="Username" ...${field('username')} autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus
        hint="How others mention you. Small letters, digits, dots and dashes." />
      <${Field} label="E-mail" type="email" ...${field('email')} autocomplete="email" required />
      <${Field} label="Password" type="password" ...${field('password')} autocomplete="new-password" required
        hint=${html`<${Strength} password=${form.password} rules=${rules} />`} />
      <button class="button is-primary is-wide" disabled=${busy}>${busy ? 'Creating…' : 'Create account'}</button>
      <p class="card-foot">Have an account? <a href=${onward('/login')}>Sign in</a></p>
    </form>`;
}

/** What the rules say against the form so far. @param {Form} form @param {api.Rules} rules */
function check({ username, email, password }, rules) {
  /** @type {Record<string, string>} */
  const broken = {};
  const name = username.trim();
  const { min_length: least, max_length: most, pattern } = rules.username;
  if ([...name].length < least) broken.username = `At least ${least} characters.`;
  else if ([...name].length > most) broken.username = `At most ${most} characters.`;
  else if (!new RegExp(pattern, 'u').test(name)) broken.username = 'Only small letters, digits, dots, dashes and underscores, and a letter or digit first.';
  if (!/^\S+@\S+$/.test(email.trim())) broken.email = 'This does not look like an e-mail address.';
  if ([...password].length < rules.password.min_length) broken.password = `At least ${rules.password.min_length} characters.`;
  else if (bytes(password) > rules.password.max_bytes) broken.password = `At most ${rules.password.max_bytes} bytes; letters with accents and emoji take several.`;
  return broken;
}

/** @param {string} text */
const bytes = (text) => new TextEncoder().encode(text).length;

/** @param {{password: string, rules: api.Rules | null}} props */
function Strength({ password, rules }) {
  const least = rules?.password.min_length ?? 8;
  const length = [...password].length;
  if (!length) return `At least ${least} characters. A sentence of a few words is easy to keep in mind.`;
  if (length < least) return `${least - length} more to go.`;
  return length < 12 ? 'Long enough. A few more make it much stronger.' : 'Good length.';
}
