/** What random workflows have found once: played first from then on. */
import type { Plan } from "./drive.ts";
import type { Act, How, Tree } from "./tree.ts";

const act = (id: string, how: How, more: Partial<Act> = {}): Act => ({
  k: "act",
  how,
  times: 1,
  doubt: "retry",
  keep: false,
  back: "ok",
  deaf: false,
  turns: 0,
  slow: false,
  timed: false,
  id,
  ms: 184_107,
  undoMs: 6_911,
  retryMs: 35_876,
  cleanup: false,
  ...more,
});
const seq = (...of: readonly Tree[]): Tree => ({ k: "seq", of, width: 1 });
const plan = (tree: Tree, more: Partial<Plan> = {}): [Plan] => [
  { tree, seed: 1, stop: false, signals: [], cancel: false, crashes: [], calm: false, ...more },
];

export const found: [Plan][] = [
  // A child completes with an outcome that is unknown and kept; its parent fails and takes it back.
  plan(seq({ k: "child", body: { k: "catch", body: act("n1", "lost", { keep: true }) } }, act("n2", "always"))),
  // Cancelled while a helper waits, whose `finally` has a step: what comes after the helper is not performed.
  plan(seq({ k: "finally", body: { k: "wait", name: "a" }, last: { k: "compute", id: "n1" } }, act("n2", "ok")), { cancel: true }),
  plan(seq({ k: "finally", body: { k: "wait", name: "a" }, last: { k: "undo", id: "n1" } }, act("n2", "ok")), { cancel: true }),
  // The cleanup of a helper fails, inside of a `catch`.
  plan(
    seq(
      { k: "catch", body: { k: "finally", body: { k: "wait", name: "a" }, last: act("n1", "fatal", { cleanup: true }) } },
      act("n2", "ok"),
    ),
    { cancel: true },
  ),
  // In doubt after a crash, sent again by hand, and given up in the same turn: it may have happened the first time.
  plan(
    {
      k: "race",
      width: 1,
      of: [
        act("n7", "ok", { doubt: "pause", deaf: true, slow: true, ms: 6_642_758 }),
        act("n8", "flaky", { retryMs: 192_132 }),
        act("n9", "ok", { doubt: "pause", slow: true, ms: 25_213 }),
      ],
    },
    { seed: 3, crashes: [{ gap: 0, turns: 6 }] },
  ),
];
