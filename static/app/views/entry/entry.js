/** What somebody sees who is not signed in, and whoever follows the link of a mail. A deep link shows the sign-in form in its own place, and then itself. */
import { html } from '../../html.js';
import { path } from '../../router.js';
import { Icon } from '../../ui/icon.js';
import { Forgot } from './forgot.js';
import { Login } from './login.js';
import { Register } from './register.js';
import { Reset } from './reset.js';
import { Verify } from './verify.js';
import { Welcome } from './welcome.js';

const FORMS = /** @type {Record<string, any>} */ ({ '/': Welcome, '/login': Login, '/register': Register, '/forgot': Forgot, '/reset': Reset, '/verify': Verify });

export function Entry() {
  const Form = FORMS[path.value] ?? Login;
  return html`
    <div class="entry">
      <header class="entry-head">
        <a class="brand" href="/"><span class="brand-mark"><${Icon} name="gate" size=${20} /></span>Irongate</a>
      </header>
      <main class="entry-main"><${Form} /></main>
    </div>`;
}

/** A link between the forms that keeps where the visitor wanted to go. @param {string} to @param {URL | Location} from */
export function onward(to, from = location) {
  const wanted = new URLSearchParams(from.search).get('next') ?? (FORMS[from.pathname] ? null : from.pathname + from.search);
  return wanted ? `${to}?${new URLSearchParams({ next: wanted })}` : to;
}
