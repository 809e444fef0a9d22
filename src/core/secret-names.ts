/**
 * Which keys name a secret. A name is read as words, whatever its case and separators: `dbPassword`, `DB_PASSWORD` and
 * `db-password` are one. What merely speaks about a secret (`tokenCount`, `passwordUpdatedAt`, `secretName`) is none.
 */

/**
 * What may be secret under a name: nothing, anything, text and lists of it (an `authorization` may also be a record with an
 * amount), or anything but numbers (`tokens: 12` is a count).
 */
export type NameVerdict = "nothing" | "anything" | "text" | "uncounted";

const words = (list: string): ReadonlySet<string> => new Set(list.split(" "));

/** These make a name secret wherever they stand in it. */
const strong = words(
  "password passwords passwd passphrase passcode pwd passwort kennwort secret secrets credential credentials apikey apikeys privatekey secretkey accesskey clientsecret connectionstring creditcard cardnumber",
);
/** These do when they end it. */
const weak = words("token tokens jwt otp totp cvv cvc ssn pin dsn bearer sessionid");
const headers = words("authorization cookie cookies setcookie");
/** What makes a `key` one that opens something. */
const keyKinds = words(
  "api access secret private client signing encryption encrypt decryption master ssh gpg pgp auth app application service account storage shared hmac webhook deploy license session subscription",
);
const compounds =
  /(?:creditcard(?:number|no|num)?|cardn(?:umber|um|o)|ccn(?:umber|um|o)|(?:card)?securitycode|conn(?:ection)?string|socialsecurity(?:number|no)?|sessionid|(?:mfa|recovery|backup|onetime)codes?|setcookie)$/;
const suffixed =
  /(?:password|passwd|passphrase|passcode|pwd|secret|token|apikey|privatekey|secretkey|accesskey|authkey|connectionstring|creditcard|cardnumber)s?$/;
/** A page's token is a place in a list. */
const places = words("page next previous prev continuation sync cursor idempotency cancel cancellation");
/** After the secret these say nothing new: it is still the secret. */
const neutral = words(
  "value values raw plain text header hash base64 b64 b hex encoded pem new old current confirm confirmation repeat again",
);
/** After the secret these say that it is about it. */
const about = words(
  "count counts length size limit max min policy id ids name names type kind version expiry expires expiration expired at in ttl age created updated changed rotated date time field label hint required enabled disabled valid strength rule rules ref reference arn path status state index usage used budget cost price per rate consent manager",
);

const maxKnown = 2000;
const known = new Map<string, NameVerdict>();

/** What is secret under this key. */
export function nameVerdict(name: string): NameVerdict {
  const before = known.get(name);
  if (before !== undefined) return before;
  const verdict = name.length > 100 ? "nothing" : judge(name);
  if (known.size >= maxKnown) known.clear();
  known.set(name, verdict);
  return verdict;
}

function judge(name: string): NameVerdict {
  const all = (name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? []).map((word) => word.toLowerCase());
  let end = all.length;
  while (end > 1 && neutral.has(all[end - 1] as string)) end--;
  const told = all.slice(0, end);
  const last = told[end - 1];
  if (last === undefined) return "nothing";
  const before = told[end - 2] ?? "";
  const joined = told.join("");
  if (compounds.test(joined)) return headers.has(joined) ? "text" : "anything";
  if (about.has(last)) return "nothing";
  if (headers.has(last)) return "text";
  if ((last === "key" || last === "keys") && keyKinds.has(before)) return last === "keys" ? "uncounted" : "anything";
  if ((last === "token" || last === "tokens") && places.has(before)) return "nothing";
  const plural = last.endsWith("s") ? "uncounted" : "anything";
  if (weak.has(last) || suffixed.test(last)) return plural;
  return told.some((word) => strong.has(word)) || told.some((word, i) => word === "key" && keyKinds.has(told[i - 1] ?? ""))
    ? plural
    : "nothing";
}
