/** What should not stand in a contract: everything in `with` becomes a fact, and facts are kept. */

const shapes = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\bAKIA[0-9A-Z]{16}\b/,
  /\b(?:sk|rk)_live_[0-9A-Za-z]{16,}/,
  /\bgh[pousr]_[0-9A-Za-z]{36,}/,
  /\bgithub_pat_[0-9A-Za-z_]{22,}/,
  /\bxox[abprs]-[0-9A-Za-z-]{10,}/,
  /\bAIza[0-9A-Za-z_-]{35}\b/,
  /\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}/,
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@]{1,100}:[^\s/@]{1,100}@/,
];

/** Whether a text has the shape of a well-known secret. */
export function looksSecret(text: string): boolean {
  return text.length >= 12 && text.length <= 20_000 && shapes.some((shape) => shape.test(text));
}

/** Whether a key is the name of a secret. */
export function secretKey(key: string): boolean {
  return /^(?:password|passwd|pwd|secret|client_?secret|api_?key|access_?token|auth_?token|bearer_?token|private_?key|authorization)$/i.test(
    key,
  );
}
