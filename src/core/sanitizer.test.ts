import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OnexError } from "./failure.ts";
import type { Json } from "./json.ts";
import { redacted, Sanitizer } from "./sanitizer.ts";
import { nameVerdict } from "./secret-names.ts";

const plain = new Sanitizer();
const knowing = new Sanitizer(["correct horse", 'with"quotes\\and/slash']);

describe("names", () => {
  test.each(
    "password PASSWORD passwd pwd dbPassword db_password DB-PASSWORD userpassword passwordHash newPassword password2 passphrase passcode secret clientSecret client_secret secrets credentials apiKey api_key api-key APIKEY x-api-key X-Api-Key apikeys privateKey private_key secretKey secretAccessKey aws_secret_access_key accessKey signingKey encryptionKey sshKey masterKey accountKey token accessToken access_token authtoken refreshToken id_token bearerToken csrfToken jwt otp totp pin cvv CVV2 cvc ssn socialSecurityNumber creditCard credit_card creditCardNumber card_number cardNumber ccNumber securityCode connectionString connection_string dsn sessionId session_id sessionToken mfaCode recoveryCodes authorization Authorization proxy-authorization cookie Set-Cookie".split(
      " ",
    ),
  )("%s names a secret", (name) => expect(plain.json({ [name]: "x1" })).toEqual({ [name]: redacted }));

  test.each(
    "key keys idempotencyKey primaryKey publicKey sortKey cacheKey keyId accessKeyId tokenCount token_type tokenExpiresAt tokenizer nextPageToken pageToken continuationToken secretary secretName secretArn passwordPolicy passwordUpdatedAt passwordLength passenger compass bypass author authority authorized cookieName cookieConsent shipping pinned spin opinion monkey keyboard hotkey session card cards discard email name node step correlationId leaseId digest".split(
      " ",
    ),
  )("%s does not", (name) => expect(plain.json({ [name]: "x1" })).toEqual({ [name]: "x1" }));

  test("counts, flags and nothing are no secrets", () => {
    const usage = {
      tokens: 12,
      inputTokens: 4096,
      secrets: 3,
      hasPassword: true,
      password: null,
      secret: "",
      usage: { tokens: { in: 1, out: 2 } },
    };
    expect(plain.json(usage)).toBe(usage);
    expect(plain.json({ pin: 1234, token: 12, tokens: ["a"] })).toEqual({ pin: redacted, token: redacted, tokens: redacted });
  });

  test("an authorization may be a record of a payment", () => {
    const paid = { authorization: { amount: 12, code: "A1" } };
    expect(plain.json(paid)).toBe(paid);
    expect(plain.json({ headers: { Cookie: ["a=b"] } })).toEqual({ headers: { Cookie: redacted } });
  });

  test("a name says the same every time, also when very many were seen", () => {
    for (let i = 0; i < 5000; i++) nameVerdict(`name${i}`);
    expect(nameVerdict("password")).toBe("anything");
  });
});

describe("shapes", () => {
  const b = "abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789";
  test.each([
    ["AWS", "AKIAIOSFODNN7EXAMPLE"],
    ["GitHub", `ghp_${b.slice(0, 36)}`],
    ["GitHub, fine", `github_pat_${b.slice(0, 30)}`],
    ["GitLab", `glpat-${b.slice(0, 20)}`],
    ["Slack", "xoxb-123456789012-abcdef"],
    ["Stripe", `sk_live_${b.slice(0, 24)}`],
    ["Stripe, webhook", `whsec_${b.slice(0, 30)}`],
    ["Google", `AIza${b.slice(0, 35)}`],
    ["npm", `npm_${b.slice(0, 36)}`],
    ["OpenAI", `sk-proj-${b.slice(0, 40)}`],
    ["SendGrid", `SG.${b.slice(0, 22)}.${b.slice(0, 43)}`],
    ["JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"],
    ["PEM", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"],
    ["PEM cut short", "-----BEGIN PRIVATE KEY-----\nMIIEow"],
    ["card", "4111111111111111"],
    ["card with spaces", "5555 5555 5555 4444"],
    ["card with dashes", "3782-822463-10005"],
    ["SSN", "123-45-6789"],
  ])("%s", (_name, secret) => {
    for (const text of [secret, `(${secret})`, `see ${secret}, please`, JSON.stringify({ a: `x\n${secret}` })]) {
      const clean = plain.text(text);
      expect(clean).toContain(redacted);
      expect(clean).not.toContain(secret);
      expect(plain.json([text])).toEqual([redacted]);
    }
  });

  test.each([
    ["Authorization: Bearer abcdef0123456789", "Authorization: Bearer [redacted]"],
    ["sent bearer eyAbCdEfGhIjKlMnOp", "sent bearer [redacted]"],
    ["Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"],
    ["postgres://app:p@ss:w0rd@db:5432/x", "postgres://app:[redacted]@db:5432/x"],
    ["redis://:hunter@cache", "redis://:[redacted]@cache"],
    ["password=hunter2&user=me", "password=[redacted]&user=me"],
    ["password: hunter2", "password: [redacted]"],
    ['{"apiKey":"a b","n":1}', '{"apiKey":"[redacted]","n":1}'],
    [`{'secret': "it's"}`, `{'secret': "[redacted]"}`],
    ['"{\\"password\\":\\"x y\\"}"', '"{\\"password\\":\\"[redacted]\\"}"'],
    ["DB_PASSWORD=abc TOKEN=def", "DB_PASSWORD=[redacted] TOKEN=[redacted]"],
    ["pin: 1234", "pin: [redacted]"],
  ])("%s", (text, clean) => expect(plain.text(text)).toBe(clean));

  test.each([
    "",
    "the bearer of bad news",
    "Basic information is missing",
    "input: password: Invalid input: expected string, received undefined",
    "token: Required",
    "password: null, tokens: 12, token=undefined",
    "https://example.com:8080/a@b?x=1",
    "mail me at someone@example.com",
    "order 1732197721000 at 2026-11-21T14:00:00.000Z",
    "4111111111111112 has a wrong check digit; 1234567890123456 is of no network",
    "0193a4b2-4111-7111-8111-111111111111",
    "risk-assessment-of-something-long and task-0123456789012345678901234",
    "call 555-12-345 or 000-12-3456",
    "a monkey=1, keyboard=2",
  ])("passes %s", (text) => expect(plain.text(text)).toBe(text));
});

describe("registered values", () => {
  test("are found as they are, in JSON, in JSON within JSON and in a URL", () => {
    const value = 'with"quotes\\and/slash';
    const once = JSON.stringify({ a: value });
    for (const text of [value, once, JSON.stringify(once), encodeURIComponent(value)])
      expect(knowing.text(`<${text}>`)).toContain(redacted);
    expect(knowing.text(`<${once}>`)).toBe('<{"a":"[redacted]"}>');
    expect(knowing.json({ a: [{ b: "a correct horse here" }] })).toEqual({ a: [{ b: redacted }] });
  });
  test("one that begins with another leaves nothing behind", () => {
    expect(new Sanitizer(["abcdef", "abcdefghi"]).text("abcdefghi")).toBe(redacted);
  });
});

describe("errors", () => {
  test("stack, causes, members and details are told without secrets", () => {
    const root = new Error("root: correct horse");
    const error = new AggregateError([new Error("password=one1"), "token=two2"], "correct horse", {
      cause: new Error("mid", { cause: root }),
    });
    const told = knowing.error(error);
    expect(told).not.toMatch(/correct horse|one1|two2/);
    expect(told).toMatch(/caused by Error: mid[\s\S]*caused by Error: root: \[redacted\]/);
    const data = JSON.stringify(knowing.value({ error, more: new Map([["password", "three"]]), set: new Set(["correct horse"]) }));
    expect(data).not.toMatch(/correct horse|one1|two2|three/);
    expect(data).toContain("root: [redacted]");
  });

  test("that contain themselves end", () => {
    const error: Error & { self?: unknown } = new Error("a correct horse");
    error.cause = error;
    error.self = { error };
    expect(knowing.error(error)).toContain("seen above");
    expect(JSON.stringify(knowing.value(error))).toContain("circular");
  });

  test("a failure keeps its code, which workflows decide by", () => {
    const failure = { code: "DECLINED", message: "no" };
    expect(plain.failure(failure)).toBe(failure);
    expect(new Sanitizer(["DECLINED"]).failure({ code: "DECLINED", message: "DECLINED", details: { password: "x" } })).toEqual({
      code: "DECLINED",
      message: redacted,
      details: { password: redacted },
    });
    expect(plain.failure({ code: "AKIAIOSFODNN7EXAMPLE", message: "" }).code).toBe(redacted);
  });

  test("have the template's two names", () => {
    expect(plain.sanitizeError("password=abc")).toBe("password=[redacted]");
    expect(plain.sanitizeValidationError("password=abc")).toBe("password=[redacted]");
  });
});

// ── properties ──

const piece = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    ...'password token= api_key: "secret":" \' \\" \\n :// @ : = Bearer Basic eyJ . - ---- -----BEGIN -----END PRIVATE KEY----- AKIA 4111111111111111 378282246310005 123-45-6789 sk- ghp_ SG. [redacted] [red correct horse hunter2 dXNlcjpwYXNz aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.split(
      " ",
    ),
    " ",
    "correct horse",
  ),
);
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
const name = fc.oneof(
  fc.constantFrom(
    ..."password pwd api_key API-KEY apiKeys cc-number cardNumber conn_string sessionId pin2 pinCode onetimecode SSH.KEY kennwort a b __proto__ toJSON".split(
      " ",
    ),
  ),
  fc
    .array(
      fc.constantFrom(
        ..."api key secret Access card number pin otp code session id security connection string cc num auth time one - _ ".split(" "),
      ),
      { maxLength: 4 },
    )
    .map((words) => words.join("")),
  fc.string(),
);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, 4111, 1234567890123),
    text,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 3 }).map((entries) => Object.fromEntries(entries) as Json),
  ),
}));

describe("always", () => {
  test("what was cleaned stays as it is", () => {
    fc.assert(
      fc.property(text, (text) => {
        const clean = knowing.text(text);
        expect(knowing.text(clean)).toBe(clean);
      }),
      { numRuns: 3000, examples: [["4111111111111111.123-45-6789"]] },
    );
    fc.assert(
      fc.property(value, (value) => {
        const before = JSON.stringify(value);
        const clean = knowing.json(value);
        expect(JSON.stringify(value)).toBe(before);
        expect(knowing.json(clean)).toEqual(clean);
      }),
      { numRuns: 1000 },
    );
  });

  test("JSON text that holds a secret is suspected", () => {
    fc.assert(
      fc.property(value, (value) => {
        if (knowing.json(value) !== value) expect(knowing.suspects(JSON.stringify(value))).toBe(true);
      }),
      // An escape in JSON ends with a digit, and is none of the text.
      { numRuns: 3000, examples: [["\u00004111111111111111"]] },
    );
  });

  test("nothing makes it throw", () => {
    const hostile = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error("no keys");
        },
        get() {
          throw new Error("no parts");
        },
      },
    );
    const getter = {
      get password() {
        throw new Error("no");
      },
    };
    const noText = { toString: () => ({}) };
    for (const odd of [
      hostile,
      getter,
      noText,
      Object.create(null),
      Symbol("password=x"),
      () => 1,
      1n,
      undefined,
      new OnexError("A", "b"),
      { at: new Date(Number.NaN) },
    ])
      expect(() => [plain.error(odd), plain.value(odd), plain.value({ password: odd, list: [odd] })]).not.toThrow();
    fc.assert(fc.property(fc.anything({ withMap: true, withSet: true, withDate: true, withBigInt: true }), (odd) => void plain.value(odd)));
  });

  test("an ordinary fact passes in one look", () => {
    const fact = {
      type: "action.dispatched",
      step: "left/charge-card",
      node: "charge-card",
      input: { amount: 12, card: "c-1", key: "k", note: "to the door" },
      notAfter: 1732197721000,
      at: 1732197691000,
    };
    expect(plain.suspects(JSON.stringify([fact]))).toBe(false);
  });

  // A pattern that backtracks would take minutes for these.
  test.each([
    "a",
    "eyJ",
    "eyJaaaaaaaa.",
    "-----BEGIN PRIVATE KEY-----",
    "://a:",
    "://",
    'a"',
    "\\",
    "4",
    "4111-",
    "bearer ",
    "password=",
    'password="',
    "password: ",
    "sk-",
    "SG.aaaaaaaaaaaaaaaaaaaa.",
    "connection",
    "gl",
    "pin1",
    "a.",
    "1-",
    "key ",
    "card",
    "Basic dXNl",
    "\n",
    "'",
  ])("a megabyte of %j takes no longer than its length", (unit) => {
    const long = unit.repeat(Math.ceil(2 ** 20 / unit.length));
    const started = performance.now();
    knowing.text(long);
    knowing.suspects(long);
    expect(performance.now() - started).toBeLessThan(60_000);
  });
});
