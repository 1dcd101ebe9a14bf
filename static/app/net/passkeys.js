/**
 * The browser's part of passkeys (WebAuthn): options from the server in, the server's answer out, both as JSON. Browsers
 * that cannot yet turn one into the other themselves (Safari before 18, Chrome before 129) get it done here.
 */

/** Whether this browser has passkeys at all. */
export const hasPasskeys = 'PublicKeyCredential' in window;

/** The user, or the browser for them, said no; there is nothing to tell but that. */
export class PasskeyRefused extends Error {
  constructor() {
    super('No passkey was used. Try again, or go another way.');
    this.name = 'PasskeyRefused';
  }
}

/** Makes a passkey. @param {any} options @returns {Promise<unknown>} */
export async function makePasskey(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON?.(options) ?? {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map(withBytes),
  };
  return toJson(await asked(() => navigator.credentials.create({ publicKey })));
}

/** Answers with a passkey that is there. @param {any} options @returns {Promise<unknown>} */
export async function showPasskey(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON?.(options) ?? {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map(withBytes),
  };
  return toJson(await asked(() => navigator.credentials.get({ publicKey })));
}

/** @param {() => Promise<Credential | null>} ask */
async function asked(ask) {
  try {
    const credential = await ask();
    if (credential) return /** @type {PublicKeyCredential} */ (credential);
  } catch (error) {
    const { name } = /** @type {DOMException} */ (error);
    if (name === 'InvalidStateError') throw new Error('This device has a passkey for your account already.');
    if (name !== 'NotAllowedError' && name !== 'AbortError') throw error;
  }
  throw new PasskeyRefused();
}

/** @param {PublicKeyCredential} credential */
function toJson(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const parts = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  const answer = Object.fromEntries(parts.flatMap((name) => {
    const value = /** @type {any} */ (response)[name];
    return value ? [[name, text(value)]] : [];
  }));
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: answer, clientExtensionResults: credential.getClientExtensionResults() };
}

/** @param {{id: string}} descriptor */
const withBytes = (descriptor) => ({ ...descriptor, id: bytes(descriptor.id) });

/** @param {string} base64url */
const bytes = (base64url) => Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));

/** @param {ArrayBuffer} buffer */
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
